import { seededRandom } from '@tutti/base';
import { expect, it } from 'vitest';
import { decodeSum } from './decode.ts';
import { layoutLanes } from './layout.ts';

it('the mean of many lanes is that of each lane, whatever block of lanes it is added in', () => {
  // More than two blocks, the last of them not full.
  const layout = layoutLanes({ deltaLength: 10_001, metrics: ['loss'] });
  const random = seededRandom('lanes');
  const sums = Array.from({ length: 3 }, () => {
    const sum = Int32Array.from({ length: layout.length }, () => random.uint32());
    sum[layout.offsets.weight] = 640;
    return sum;
  });
  const { meanDelta } = decodeSum(layout, { delta: 1_000, weight: 64, metric: 64 }, sums, 30);
  const total = (lane: number): number => sums.reduce((all, sum) => all + (sum[lane] as number), 0);
  const expected = Float32Array.from({ length: 10_001 }, (_, lane) => total(lane) / ((3 * 640 * 1_000) / 64));
  expect(meanDelta).toEqual(expected);
});
