import { seededRandom } from '@tutti/base';
import { leaveOneOut, type SplitDataset } from '@tutti/datasets';
import type { SimulationOptions } from '../src/index.ts';

/** The client of on-device-training.md §1: 165 positives and 4 negatives for each (825 examples) of 3,706 items, d = 32, layers 32-16, one epoch in batches of 64. */
export const CLIENT: SimulationOptions['model'] = {
  ...{ family: 'mlp', dimension: 32, hidden: [32, 16] },
  ...{ epochs: 1, batchSize: 64, negatives: 4 },
};
const [ITEMS, POSITIVES] = [3_706, 165];

/** People with 165 items each, and one held out; the popular items more often: rank r with 1 / (r + 50)^0.8. */
export function alikePeople(people: number): SplitDataset {
  const random = seededRandom('peer workload');
  const until: number[] = [];
  for (let item = 0; item < ITEMS; item++) until.push((until[item - 1] ?? 0) + (item + 50) ** -0.8);
  const draw = (): number => {
    const at = random.float() * (until.at(-1) as number);
    return until.findIndex((bound) => at < bound);
  };
  const lists = Array.from({ length: people }, () => {
    const items = new Set<number>();
    // One is held out.
    while (items.size < POSITIVES + 1) items.add(draw());
    return Int32Array.from(items);
  });
  return leaveOneOut(
    {
      users: Int32Array.from(lists.flatMap((items, user) => Array.from(items, () => user))),
      items: Int32Array.from(lists.flatMap((items) => [...items])),
      userIds: lists.map((_, user) => `${user}`),
      itemIds: Array.from({ length: ITEMS }, (_, item) => `${item}`),
    },
    { name: 'alike people', minimumInteractions: 2, keepItems: true },
  );
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number;
