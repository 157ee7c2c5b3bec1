import type { Interactions } from './types.ts';

/** Who touched what, and perhaps when. */
export interface Pairs {
  readonly users: Int32Array;
  readonly items: Int32Array;
  readonly timestamps?: Float64Array;
  readonly ratings?: Float64Array;
}

/**
 * Gathers pairs into rows, one a user, each oldest first; equal times, and pairs without times, keep their order. Of pairs
 * that repeat, the first of the row counts. Takes time in users, items, pairs and the sorting of each row.
 */
export function rowsOf(pairs: Pairs, users: number, items: number): Interactions {
  const { timestamps, ratings } = pairs;
  const { order, starts } = orderByUser(pairs.users, users);
  if (timestamps !== undefined) {
    const older = (a: number, b: number): number =>
      (timestamps[a] as number) - (timestamps[b] as number) || a - b;
    for (let user = 0; user < users; user++) order.subarray(starts[user], starts[user + 1]).sort(older);
  }
  const offsets = new Int32Array(users + 1);
  const kept = new Int32Array(pairs.users.length);
  const lastUserOf = new Int32Array(items).fill(-1);
  let length = 0;
  for (const at of order) {
    const user = pairs.users[at] as number;
    const item = pairs.items[at] as number;
    if (lastUserOf[item] === user) continue;
    lastUserOf[item] = user;
    kept[length++] = at;
    offsets[user + 1] = length;
  }
  for (let user = 0; user < users; user++) {
    offsets[user + 1] = Math.max(offsets[user + 1] as number, offsets[user] as number);
  }
  const lines = kept.subarray(0, length);
  const values = Int32Array.from(lines, (at) => pairs.items[at] as number);
  return {
    users,
    items,
    offsets,
    values,
    ...(timestamps && { timestamps: Float64Array.from(lines, (at) => timestamps[at] as number) }),
    ...(ratings && { ratings: Float32Array.from(lines, (at) => ratings[at] as number) }),
  };
}

/** The positions of `users`, sorted by user, in their order within each (a counting sort); and where each user's start. */
function orderByUser(users: Int32Array, count: number): { order: Int32Array; starts: Int32Array } {
  const starts = new Int32Array(count + 1);
  for (const user of users) starts[user + 1] = (starts[user + 1] as number) + 1;
  for (let user = 0; user < count; user++)
    starts[user + 1] = (starts[user + 1] as number) + (starts[user] as number);
  const next = starts.slice();
  const order = new Int32Array(users.length);
  for (let at = 0; at < users.length; at++) {
    const user = users[at] as number;
    order[next[user] as number] = at;
    next[user] = (next[user] as number) + 1;
  }
  return { order, starts };
}

/** Whether row `user` holds `item`. */
export function rowHolds(rows: Interactions, user: number, item: number): boolean {
  return rows.values.subarray(rows.offsets[user], rows.offsets[user + 1]).includes(item);
}
