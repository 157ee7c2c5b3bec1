import { EMPTY_LEDGER, roundedSensitivity, spent, type Ledger } from '@tutti/privacy';
import { decodeDescription, type RoundDescription } from '@tutti/protocol';
import { describe, expect, it } from 'vitest';
import { describeAttempt } from './describe.ts';
import { decodeJournalEntry } from './journal.ts';
import { addRelease, budgetedOf, releaseOf, type ReleaseRecord } from './release.ts';
import type { NoiseConfig, TaskConfig } from './task-config.ts';
import { FACTS, smallTask } from '../test/small-task.ts';

const accounting = { dpDelta: 1e-5 };
const counted = { survivors: 40, groups: 1, fewestInGroup: 40 };

function described(
  noise: Partial<NoiseConfig>,
  over: Partial<TaskConfig> = {},
): [TaskConfig, RoundDescription] {
  const config = smallTask({ noise: { multiplier: 2, metricMultiplier: 6, accounting, ...noise }, ...over });
  return [config, decodeDescription(structuredClone(describeAttempt(config, FACTS)))];
}

const released = (noise: Partial<NoiseConfig>, over: Partial<TaskConfig> = {}): ReleaseRecord => {
  const [config, description] = described(noise, over);
  const release = releaseOf(config, description, counted);
  if (release === null) throw new Error('nothing was released');
  return release;
};

const epsilonOf = (...releases: ReleaseRecord[]) =>
  spent(releases.reduce<Ledger>(addRelease, EMPTY_LEDGER), 1e-5);

describe('a release', () => {
  it('tells mechanism, z, survivors and every kind of lane with the noise that was on it', () => {
    const [config, description] = described({});
    const { noise, scale, lanes } = description;
    if (noise.mechanism !== 'skellam') throw new Error('no noise');
    const l2 = roundedSensitivity(config.clippingNorm * scale.delta, lanes.delta);
    const metricL2 = (scale.metric + 1) * Math.sqrt(4);
    expect(releaseOf(config, description, { survivors: 60, groups: 2, fewestInGroup: 28 })).toEqual({
      ...{ mechanism: 'skellam', multiplier: 2, survivors: 60, fewestInGroup: 28, colluders: 0 },
      ...{ sampling: null, participation: null, correlated: null },
      parts: [
        {
          ...{ lanes: 'delta', mechanism: 'skellam', l1: Math.sqrt(lanes.delta) * l2, l2, sampling: null },
          ...{ variance: 28 * noise.deltaVariance, readersVariance: 60 * noise.deltaVariance },
        },
        {
          ...{ lanes: 'metrics', mechanism: 'skellam', l1: 2 * metricL2, l2: metricL2, sampling: null },
          ...{ variance: 28 * noise.metricVariance, readersVariance: 60 * noise.metricVariance },
        },
      ],
    });
  });

  it('counts the noise of one group for readers too, where the groups’ median is the model', () => {
    const combine = 'median' as const;
    const [config, description] = described({}, { combine });
    const release = releaseOf(config, description, { survivors: 60, groups: 3, fewestInGroup: 17 });
    const { variance, readersVariance } = release?.parts[0] as { variance: number; readersVariance: number };
    expect(readersVariance).toBe(variance);
  });

  it('is nothing where ε is not counted', () => {
    const config = smallTask({ noise: { multiplier: 2, metricMultiplier: 0 } });
    expect(releaseOf(config, describeAttempt(config, FACTS), counted)).toBeNull();
  });

  it('leaves the assumed colluders’ noise out, of each group and of all', () => {
    const [config, description] = described({ colluders: 3 });
    const { noise } = description;
    if (noise.mechanism !== 'skellam') throw new Error('no noise');
    const release = releaseOf(config, description, { survivors: 60, groups: 2, fewestInGroup: 28 });
    expect(release).toMatchObject({
      colluders: 3,
      parts: [{ variance: 25 * noise.deltaVariance, readersVariance: 54 * noise.deltaVariance }, {}],
    });
    // And each device adds so much more that the rest carry z·C.
    const [, honest] = described({});
    if (honest.noise.mechanism !== 'skellam') throw new Error('no noise');
    expect(noise.deltaVariance / honest.noise.deltaVariance).toBeCloseTo(
      honest.noise.survivors / (honest.noise.survivors - 3),
      9,
    );
  });

  it('has no metric lanes where they are off, and then costs less', () => {
    const off = released({ metricMultiplier: 0 }, { metrics: false });
    expect(off.parts.map(({ lanes }) => lanes)).toEqual(['delta']);
    expect(epsilonOf(off).readers).toBeLessThan(epsilonOf(released({})).readers);
  });

  it('adds the clip indicator where the norm adapts: together they cost what z alone would', () => {
    const adaptiveClipping = { quantile: 0.5, learningRate: 0.2 };
    const quiet = { metricMultiplier: 0, multiplier: 1 };
    const both = released(quiet, { adaptiveClipping, metrics: false });
    expect(both.parts.map(({ lanes }) => lanes)).toEqual(['delta', 'clip']);
    const alone = released(quiet, { metrics: false });
    expect(epsilonOf(both).readers / epsilonOf(alone).readers).toBeCloseTo(1, 2);
  });

  it('holds against readers alone where the coordinator adds the noise', () => {
    const central = released({ mechanism: { name: 'gaussian' } });
    expect(central).toMatchObject({
      mechanism: 'gaussian',
      parts: [{ lanes: 'delta', noiseMultiplier: 2, trusted: true }, {}],
    });
    expect(epsilonOf(central).coordinator).toBeNull();
    expect(budgetedOf(epsilonOf(central))).toBe(epsilonOf(central).readers);
  });

  it('names the chance of being asked where each client is asked by itself', () => {
    const release = released({}, { poisson: { population: 1_000 } });
    expect(release.sampling).toBeCloseTo((40 * 1.3) / 1_000, 12);
    const { coordinator, readers } = epsilonOf(release);
    expect(readers).toBeLessThan((coordinator as number) / 4);
    expect([budgetedOf({ coordinator, readers }), budgetedOf({ coordinator, readers }, 'readers')]).toEqual([
      coordinator,
      readers,
    ]);
  });

  it('of correlated noise is one mechanism over the rounds', () => {
    const mechanism = { name: 'tree', steps: 64 } as const;
    const participation = { most: 1, separation: 64 };
    const once = released({ mechanism, participation, metricMultiplier: 0 }, { metrics: false });
    expect(once).toMatchObject({
      parts: [],
      correlated: { noise: { mechanism: 'tree', steps: 64 }, noiseMultiplier: 2, participation },
    });
    // 64 rounds of a tree cost √7 of one, not 8 times.
    const all = epsilonOf(...Array.from({ length: 64 }, () => once)).readers;
    const seven = epsilonOf(
      ...Array.from({ length: 7 }, () =>
        released({ mechanism: { name: 'gaussian' }, metricMultiplier: 0 }, { metrics: false }),
      ),
    ).readers;
    expect(all).toBeCloseTo(seven, 9);
  });
});

describe('in the journal', () => {
  const entry = (release: unknown) => ({
    ...{ v: 1, type: 'evaluated', release },
    record: {
      ...{
        round: 1,
        attempt: 2,
        endedAtMs: 3,
        durationMs: 1,
        selected: 9,
        ready: 9,
        cohort: 9,
        reported: 9,
        groups: 1,
      },
      ...{ dropped: [], declined: {}, upBytes: 1, downBytes: 1, modelHash: 'a'.repeat(64), loss: null },
      metrics: { hr10: null, ndcg10: null, evaluated: 0 },
    },
  });

  it('every kind of release reads back as it was written', () => {
    for (const noise of [
      {},
      { mechanism: { name: 'gaussian' } },
      { mechanism: { name: 'tree', steps: 8 }, participation: { most: 2, separation: 4 } },
      { mechanism: { name: 'banded', steps: 8, coefficients: [64, 32] } },
    ] as const) {
      const release = released(noise);
      expect(decodeJournalEntry(JSON.parse(JSON.stringify(entry(release))))).toMatchObject({ release });
    }
  });

  it('a release of the first version still counts: delta and metric lanes are two releases of one round', () => {
    const metric = { metricL2: 10, metricVariance: 10_000 };
    const old = (release: object): ReleaseRecord => {
      const decoded = decodeJournalEntry(entry(release));
      if (decoded.type !== 'evaluated' || decoded.release === null) throw new Error('no release');
      return decoded.release;
    };
    const round = old({ l1: 100, l2: 10, variance: 10_000, ...metric });
    const evaluation = old({ l1: 0, l2: 0, variance: 0, ...metric });
    expect(epsilonOf(evaluation).readers).toBeGreaterThan(0);
    expect(epsilonOf(round).readers).toBeGreaterThan(epsilonOf(evaluation).readers);
    expect(epsilonOf(round, evaluation).readers).toBeGreaterThan(epsilonOf(round).readers);
    expect(() => old({ l1: 0, l2: 0, variance: 0, metricL2: 1, metricVariance: 0 })).toThrow(
      'metricVariance',
    );
  });
});
