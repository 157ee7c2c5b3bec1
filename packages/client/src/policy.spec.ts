import { UsageError } from '@tutti/base';
import { roundedSensitivity } from '@tutti/privacy';
import type { RoundDescription, TaskInfo } from '@tutti/protocol';
import { fewestSurvivors } from '@tutti/secure-aggregation';
import { describe, expect, it } from 'vitest';
import { declineReason, DEFAULT_POLICY, resolvePolicy, type Policy } from './policy.ts';

const task = { task: 'films', layoutHash: 'aa', catalogueHash: 'cc' } as TaskInfo;
const cohort = { planned: 40, smallest: 20, largestGroup: 128 };
const graph = { corruptPermille: 50, dropoutPermille: 50, largestComplete: 128 };
const RULES = { mode: 'semi-honest', ...graph } as const;
const scale = { delta: 1_000, weight: 1, metric: 1 };

/** What a delta of ten lanes within C = 3 can be after rounding, in ring units. */
const SENSITIVITY = roundedSensitivity(3 * scale.delta, 10);

const skellamNoise = (
  multiplier: number,
  deltaVariance: number,
  metricVariance: number,
): RoundDescription['noise'] => ({
  ...{ mechanism: 'skellam', multiplier, survivors: fewestSurvivors(cohort, RULES) },
  ...{ deltaVariance, clipVariance: 0, metricVariance },
});

/** A description whose noise reaches `multiplier` with the fewest survivors, unless `over` says otherwise. */
function described(over: Partial<RoundDescription> = {}, multiplier = 2): RoundDescription {
  const fewest = fewestSurvivors(cohort, RULES);
  const deltaVariance = (multiplier * SENSITIVITY) ** 2 / fewest;
  const metricVariance = (multiplier * scale.metric) ** 2 / fewest;
  return {
    task: 'films',
    attempt: 8,
    purpose: 'train',
    protection: 'secure',
    mode: 'semi-honest',
    identity: { level: 'open' },
    graph,
    layoutHash: 'aa',
    catalogueHash: 'cc',
    lanes: { delta: 10, rowCounts: 0, metrics: [], length: 12 },
    scale,
    clippingNorm: 3,
    clipIndicator: false,
    wordBits: 32,
    noise: skellamNoise(multiplier, deltaVariance, metricVariance),
    cohort,
    ...over,
  } as RoundDescription;
}

const answer = (description: RoundDescription, policy: Partial<Policy> = {}): string | undefined =>
  declineReason({ ...DEFAULT_POLICY, ...policy }, task, description, 7);

const skellam = (
  multiplier: number,
  deltaVariance: number,
  metricVariance = 1e9,
): Partial<RoundDescription> => ({
  noise: skellamNoise(multiplier, deltaVariance, metricVariance),
});

describe('resolvePolicy', () => {
  it('fills in the defaults and names everything that is wrong', () => {
    expect(resolvePolicy()).toEqual(DEFAULT_POLICY);
    expect(resolvePolicy({ smallestCohort: 40 })).toEqual({ ...DEFAULT_POLICY, smallestCohort: 40 });
    const wrong = { smallestCohort: -1, allowPlain: 'yes', lestNoise: 3 } as never;
    expect(() => resolvePolicy(wrong)).toThrow(
      /smallestCohort is -1; a whole number from 2[^]*allowPlain is yes; true or false[^]*lestNoise is not known; there are smallestCohort/,
    );
    expect(() => resolvePolicy({ leastNoiseMultiplier: Number.NaN })).toThrow(UsageError);
    expect(() => resolvePolicy({ smallestCohort: 15 })).toThrow('set insecureSmallCohort to override');
    expect(resolvePolicy({ smallestCohort: 2, insecureSmallCohort: true }).smallestCohort).toBe(2);
  });
});

describe('identity', () => {
  const [ours, theirs] = ['a'.repeat(64), 'b'.repeat(64)];
  const levels = [
    { level: 'open' },
    { level: 'pinned' },
    { level: 'enrolled', authority: ours },
    { level: 'transparent', authority: ours, log: { size: 1, root: ours, signature: ours + ours } },
  ] as const;

  it('each level is refused by whoever asks for a stronger one, and by no one else', () => {
    for (const [at, identity] of levels.entries())
      for (const [least, { level }] of levels.entries())
        expect(answer(described({ identity }), { identity: level, authorities: [ours] })).toBe(
          at < least ? 'identity-too-weak' : undefined,
        );
  });

  it('an authority that the app does not name is not trusted, whatever else is asked for', () => {
    for (const identity of levels.slice(2)) {
      expect(answer(described({ identity }))).toBe('wrong-authority');
      expect(answer(described({ identity }), { authorities: [theirs] })).toBe('wrong-authority');
      expect(answer(described({ identity }), { authorities: [theirs, ours] })).toBeUndefined();
    }
  });

  it('active mode is refused below enrolled: masks hold against no coordinator that invents clients', () => {
    const policy = { authorities: [ours] };
    expect(levels.map((identity) => answer(described({ identity, mode: 'active' }), policy))).toEqual([
      'identity-too-weak',
      'identity-too-weak',
      undefined,
      undefined,
    ]);
  });

  it('what an app asks for is checked', () => {
    expect(() => resolvePolicy({ identity: 'enrolled' })).toThrow(
      'policy.identity is enrolled; policy.authorities must then name whom this device trusts',
    );
    expect(resolvePolicy({ identity: 'enrolled', authorities: [ours] })).toMatchObject({
      identity: 'enrolled',
      authorities: [ours],
    });
    const wrong = { identity: 'sure', authorities: ['A'.repeat(64)], knownShare: 2, knownEnough: 0 } as never;
    expect(() => resolvePolicy(wrong)).toThrow(
      /identity is sure; one of open, pinned, enrolled, transparent[^]*authorities is A+; a list[^]*knownShare is 2[^]*knownEnough is 0/,
    );
    expect(() => resolvePolicy({ knownAfterDays: -1 })).toThrow('knownAfterDays is -1');
  });
});

describe('the policy', () => {
  it('takes what it asks for, and no less', () => {
    expect(answer(described())).toBeUndefined();
    expect(answer(described(), { leastNoiseMultiplier: 2 })).toBeUndefined();
    expect(answer(described(), { leastNoiseMultiplier: 2.01 })).toBe('noise-too-weak');
    expect(answer(described({ noise: { mechanism: 'none' } }))).toBeUndefined();
    expect(answer(described({ noise: { mechanism: 'none' } }), { leastNoiseMultiplier: 0.1 })).toBe(
      'noise-too-weak',
    );
  });

  it('believes the noise that it is told to add, not what the coordinator calls it', () => {
    expect(answer(described(skellam(2, 1)))).toBe('noise-too-weak');
    expect(answer(described(skellam(2, 1)), { leastNoiseMultiplier: 2 })).toBe('noise-too-weak');
    const enough = (2 * SENSITIVITY) ** 2 / fewestSurvivors(cohort, RULES);
    expect(answer(described(skellam(1, enough)), { leastNoiseMultiplier: 2 })).toBeUndefined();
  });

  it('counts the fewest survivors that the cohort can shrink to, not the cohort', () => {
    const planned = (2 * SENSITIVITY) ** 2 / cohort.planned;
    expect(answer(described(skellam(2, planned)))).toBe('noise-too-weak');
  });

  it('asks for noise on everything that is released, measurements included', () => {
    const enough = (2 * SENSITIVITY) ** 2 / fewestSurvivors(cohort, RULES);
    const measured = { lanes: { delta: 10, rowCounts: 0, metrics: ['hr10'], length: 13 } };
    const quiet = described({ ...skellam(2, enough, 0), ...measured });
    expect(answer(quiet, { leastNoiseMultiplier: 2 })).toBe('noise-too-weak');
    expect(answer(quiet)).toBeUndefined();
    // No metric lanes travel here, so no noise on them is missed; the clip indicator is a lane like any other.
    expect(answer(described(skellam(2, enough, 0)), { leastNoiseMultiplier: 2 })).toBeUndefined();
    const told = described({ ...skellam(2, enough), clipIndicator: true });
    expect(answer(told, { leastNoiseMultiplier: 2 })).toBe('noise-too-weak');
    const lanes = { delta: 0, rowCounts: 0, metrics: ['hr10'], length: 3 };
    for (const noise of [{ mechanism: 'none' } as const, skellam(2, 1, 0).noise])
      expect(
        answer(described({ purpose: 'evaluate', lanes, ...(noise && { noise }) }), {
          leastNoiseMultiplier: 1,
        }),
      ).toBe('noise-too-weak');
  });

  it('is not fooled by a scale so coarse that rounding outgrows the clipping norm', () => {
    const coarse = { delta: 1 / 3, weight: 1, metric: 1 };
    const lanes = { delta: 100_000, rowCounts: 0, metrics: [], length: 100_002 };
    const claimed = (1 * 3 * coarse.delta) ** 2 / fewestSurvivors(cohort, RULES);
    const lying = described({ scale: coarse, lanes, ...skellam(1, claimed) });
    expect(answer(lying, { leastNoiseMultiplier: 1 })).toBe('noise-too-weak');
  });

  it('refuses row counts, which carry no noise, where it asks for noise', () => {
    const lanes = { delta: 10, rowCounts: 4, metrics: [], length: 16 };
    expect(answer(described({ lanes }))).toBeUndefined();
    expect(answer(described({ lanes }), { leastNoiseMultiplier: 1 })).toBe('noise-too-weak');
  });

  it.each<[string, Partial<RoundDescription>]>([
    ['stale-description', { attempt: 7 }],
    ['stale-description', { task: 'books' }],
    ['wrong-model', { layoutHash: 'bb' }],
    ['wrong-model', { catalogueHash: 'bb' }],
    ['plain-refused', { protection: 'plain' }],
    ['cohort-too-small', { cohort: { ...cohort, smallest: 15 } }],
    ['cohort-too-small', { cohort: { ...cohort, smallest: 1_000 } }],
    ['cohort-too-small', { cohort: { ...cohort, largestGroup: 15 } }],
    ['clip-too-large', { clippingNorm: 1_001 }],
  ])('declines by name: %s', (reason, over) => {
    expect(answer(described(over))).toBe(reason);
  });
});
