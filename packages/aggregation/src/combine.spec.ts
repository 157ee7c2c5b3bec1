import { describe, expect, it } from 'vitest';
import { combineGroups, type GroupSum } from './combine.ts';
import { layoutLanes } from './layout.ts';

const layout = layoutLanes({ deltaLength: 2, metrics: ['loss'] });
const scale = { delta: 100, weight: 10, metric: 10 };

/** A group of `survivors` clients, each with this delta and a loss of one half. */
const group = (survivors: number, first: number, second: number): GroupSum => ({
  sum: Int32Array.of(survivors * first * 100, survivors * second * 100, survivors * 10, 0, survivors * 5),
  survivors,
});

const HONEST = [group(10, 1, -1), group(20, 2, -2), group(10, 3, -3)];
const POISONED = group(10, 1_000, 1_000);
const delta = (combination: 'mean' | 'median' | 'trimmed-mean', groups: readonly GroupSum[]): number[] => [
  ...combineGroups(combination, groups, layout, scale).meanDelta,
];

describe('combineGroups', () => {
  it('adds the groups, weighted by their clients, where a mean is asked for', () => {
    // (10·1 + 20·2 + 10·3) / 40
    expect(delta('mean', HONEST)).toEqual([2, -2]);
    expect(delta('mean', [...HONEST, POISONED])[0]).toBeCloseTo((80 + 10_000) / 50, 3);
  });

  it('does not let one poisoned group of four decide a coordinate', () => {
    // Sorted first coordinates 1 2 3 1000: the middle two, and without the outer one on either side, are 2 and 3.
    expect(delta('median', [...HONEST, POISONED])).toEqual([2.5, -1.5]);
    expect(delta('trimmed-mean', [...HONEST, POISONED])).toEqual([2.5, -1.5]);
  });

  it('keeps weights, survivors and metrics of all', () => {
    const update = combineGroups('median', [...HONEST, POISONED], layout, scale);
    expect(update).toMatchObject({ survivors: 50, totalWeight: 50, metrics: { loss: 25 } });
  });

  it('of two groups or one is their mean, and of none is refused', () => {
    expect(delta('trimmed-mean', HONEST.slice(0, 2))).toEqual([1.5, -1.5]);
    expect(delta('median', HONEST.slice(0, 1))).toEqual([1, -1]);
    expect(() => delta('median', [])).toThrow('at least one group');
  });
});
