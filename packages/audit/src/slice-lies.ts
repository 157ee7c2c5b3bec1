import { described, type Lie, type Setting } from './lie.ts';

/** Lies about the part of a catalogue that a round is of, and about what a round costs a device of its privacy. */

/** A round of forty rows of a larger catalogue, which every device fetches. */
const sliced: Setting = {
  task: { slice: { rows: 40, head: 10 } },
};

type Slice = NonNullable<Parameters<Parameters<typeof described>[0]>[0]['slice']>;

const sliceSaid = (over: (slice: Slice) => Partial<Slice>): Lie['tell'] =>
  described(({ slice }) => (slice === undefined ? {} : { slice: { ...slice, ...over(slice) } }));

/** Noise of a round that a device's own budget bears once; and what the budget is. */
const NOISE = 4;
const BUDGET = 1.5;

const thrifty: Setting = {
  noiseMultiplier: NOISE,
  policy: { epsilonBudget: BUDGET, leastNoiseMultiplier: 0.1 },
};

export const SLICE_AND_BUDGET_LIES: readonly Lie[] = [
  {
    name: 'a slice of rows that were chosen for one',
    setting: sliced,
    tell: sliceSaid(() => ({ rowsHash: 'ab'.repeat(32) })),
    expected: 'wrong-model',
  },
  {
    name: 'a slice of more rows than there are',
    setting: sliced,
    tell: sliceSaid(() => ({ rows: 100_000 })),
    expected: 'wrong-model',
  },
  {
    name: 'a slice of another size than is sent',
    setting: sliced,
    tell: sliceSaid(({ bytes }) => ({ bytes: bytes + 4 })),
    expected: 'wrong-model',
  },
  {
    name: 'a slice with fewer rows than the vector has lanes for',
    setting: sliced,
    tell: sliceSaid(({ rows }) => ({ rows: rows - 1 })),
    expected: 'wrong-model',
  },
  {
    name: 'noise that costs more than is left of the device’s own budget',
    setting: thrifty,
    tell: described(({ noise }) =>
      noise.mechanism === 'skellam'
        ? { noise: { ...noise, multiplier: 0.5, deltaVariance: noise.deltaVariance * (0.5 / NOISE) ** 2 } }
        : {},
    ),
    expected: 'privacy-budget-spent',
  },
  {
    name: 'one round too many for the device’s own count',
    setting: { policy: { participationCap: 0 } },
    tell: (message) => (message.type === 'describe' ? [message] : undefined),
    expected: 'privacy-budget-spent',
  },
];
