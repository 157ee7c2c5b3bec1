import type { TrainingRows } from './recommender.ts';

/** The same interactions by item: row i holds the people who touched it, in rising order. */
export function peopleByItem({ users, items, offsets, values }: TrainingRows): {
  offsets: Int32Array;
  values: Int32Array;
} {
  const starts = startsOf(values, items);
  const next = starts.slice();
  const people = new Int32Array(values.length);
  for (let user = 0; user < users; user++) {
    for (let at = offsets[user] as number; at < (offsets[user + 1] as number); at++) {
      const item = values[at] as number;
      people[next[item] as number] = user;
      next[item] = (next[item] as number) + 1;
    }
  }
  return { offsets: starts, values: people };
}

/** Where each item's row starts once `values` are sorted by item. */
export function startsOf(values: Int32Array, items: number): Int32Array {
  const starts = new Int32Array(items + 1);
  for (const item of values) starts[item + 1] = (starts[item + 1] as number) + 1;
  for (let item = 0; item < items; item++)
    starts[item + 1] = (starts[item + 1] as number) + (starts[item] as number);
  return starts;
}
