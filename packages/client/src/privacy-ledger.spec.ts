import { utf8 } from '@tutti/base';
import {
  analyticGaussianEpsilon,
  createLedger,
  recordCorrelated,
  recordRelease,
  roundedSensitivity,
  spent,
} from '@tutti/privacy';
import type { RoundDescription } from '@tutti/protocol';
import { describe, expect, it } from 'vitest';
import { memoryClientStore } from './memory-store.ts';
import { localEpsilon, ownEpsilon, participationsOf } from './own-epsilon.ts';
import { partOf, type DeviceLedger, type Part } from './part.ts';
import { DEFAULT_POLICY, budgetReason, declineReason, ownDeltaVariance, type Policy } from './policy.ts';
import { EMPTY_DEVICE_LEDGER, openPrivacyLedger } from './privacy-ledger.ts';

const account = { dpDelta: 1e-5, colluders: 0 };
const scale = { delta: 1_000, weight: 64, metric: 64 };
const L2 = roundedSensitivity(3 * scale.delta, 100);

/** 20 of 40 members are sure to survive, and together carry z = 4. */
function described(attempt: number, over: Partial<RoundDescription> = {}): RoundDescription {
  return {
    ...{
      attempt,
      round: attempt,
      purpose: 'train',
      protection: 'secure',
      clipIndicator: false,
      wordBits: 32,
    },
    ...{
      mode: 'semi-honest',
      identity: { level: 'open' },
      graph: { corruptPermille: 50, dropoutPermille: 50, largestComplete: 128 },
    },
    lanes: { delta: 100, rowCounts: 0, metrics: [], length: 102 },
    ...{ scale, clippingNorm: 3, cohort: { planned: 40, smallest: 29, largestGroup: 128 } },
    noise: {
      ...{ mechanism: 'skellam', multiplier: 4, survivors: 20 },
      ...{ deltaVariance: (4 * L2) ** 2 / 20, clipVariance: 0, metricVariance: 0 },
    },
    ...over,
  } as RoundDescription;
}

const part = (attempt: number, over: Partial<RoundDescription> = {}): Part => {
  const description = described(attempt, over);
  return partOf(description, ownDeltaVariance(DEFAULT_POLICY, description));
};
const ledgerOf = (...parts: Part[]): DeviceLedger => ({ ...EMPTY_DEVICE_LEDGER, open: parts });
/** What the coordinator's accountant says of `times` sums over `survivors`. */
const expected = (survivors: number, times: number): number => {
  const variance = ((4 * L2) ** 2 / 20) * survivors;
  const release = { mechanism: 'skellam', l1: 10 * L2, l2: L2, variance, sampling: null } as const;
  return spent(
    Array.from({ length: times }).reduce<ReturnType<typeof createLedger>>(
      (kept) => recordRelease(kept, release),
      createLedger(),
    ),
    1e-5,
  ).readers;
};

describe('a device’s ledger', () => {
  it('composes by the accountant of the coordinator’s ledger, with the fewest survivors until it knows better', async () => {
    const ledger = await openPrivacyLedger(memoryClientStore());
    expect(ownEpsilon(ledger.state, account)).toBe(0);
    await ledger.charge(part(1));
    expect(ownEpsilon(ledger.state, account)).toBeCloseTo(expected(20, 1), 9);
    await ledger.charge(part(2));
    expect(ownEpsilon(ledger.state, account)).toBeCloseTo(expected(20, 2), 9);
    await ledger.survived(1, 33);
    await ledger.survived(2, 33);
    expect(ownEpsilon(ledger.state, account)).toBeCloseTo(expected(33, 2), 9);
    await ledger.survived(2, 5);
    expect(ownEpsilon(ledger.state, account)).toBeCloseTo(expected(33, 2), 9);
  });

  it('forgets a part that released nothing, and only that one', async () => {
    const ledger = await openPrivacyLedger(memoryClientStore());
    await ledger.charge(part(1));
    await ledger.charge(part(2));
    await ledger.release(1);
    await ledger.release(7);
    expect(participationsOf(ledger.state)).toBe(1);
    expect(ownEpsilon(ledger.state, account)).toBeCloseTo(expected(20, 1), 9);
  });

  it('is durable before a charge resolves: another process reads it back', async () => {
    const store = memoryClientStore();
    const ledger = await openPrivacyLedger(store);
    await ledger.charge(part(1));
    await ledger.charge(part(2));
    await ledger.survived(2, 30);
    expect((await openPrivacyLedger(store)).state).toEqual(ledger.state);
  });

  it('counts what is charged twice once', async () => {
    const ledger = await openPrivacyLedger(memoryClientStore());
    await ledger.charge(part(1));
    await ledger.charge(part(1));
    expect(participationsOf(ledger.state)).toBe(1);
  });

  it('stays small over a thousand parts, and counts them all', async () => {
    const store = memoryClientStore();
    const ledger = await openPrivacyLedger(store);
    for (let attempt = 1; attempt <= 1_000; attempt++) await ledger.charge(part(attempt));
    expect(participationsOf(ledger.state)).toBe(1_000);
    expect(ledger.state.lastRound).toBe(1_000);
    expect((await store.get('privacy-ledger'))?.length).toBeLessThan(20_000);
    expect(ownEpsilon(ledger.state, account)).toBeCloseTo(expected(20, 1_000), 6);
  });

  it('counts a part without masks for good at once: nothing that follows takes anything back', async () => {
    const ledger = await openPrivacyLedger(memoryClientStore());
    for (const attempt of [1, 2, 3]) await ledger.charge(part(attempt, { protection: 'plain' }));
    expect(ledger.state.open).toEqual([]);
    expect(ledger.state.closed).toMatchObject([{ times: 3 }]);
    expect(ledger.state.lastRound).toBe(3);
    await ledger.release(3);
    await ledger.survived(3, 40);
    expect(participationsOf(ledger.state)).toBe(3);
    await ledger.charge(part(4));
    expect(ledger.state.open).toHaveLength(1);
    expect(ownEpsilon(ledger.state, account)).toBeCloseTo(expected(20, 4), 9);
  });

  it.each([
    '{',
    '{"v":2,"open":[],"closed":[],"lastRound":0}',
    '{"v":1,"open":[{}],"closed":[],"lastRound":0}',
    '[]',
    'null',
  ])('refuses %s from the store', async (text) => {
    const store = memoryClientStore();
    await store.set('privacy-ledger', utf8(text));
    await expect(openPrivacyLedger(store)).rejects.toThrow('privacy-ledger');
  });
});

describe('a device’s ε', () => {
  it('leaves out the noise of those whom it assumes to collude', () => {
    const state = ledgerOf(part(1));
    expect(ownEpsilon(state, { ...account, colluders: 5 })).toBeCloseTo(expected(15, 1), 9);
    expect(ownEpsilon(state, { ...account, colluders: 20 })).toBe(Number.POSITIVE_INFINITY);
  });

  it.each<[string, Partial<RoundDescription>]>([
    ['without noise', { noise: { mechanism: 'none' } }],
    [
      'with metric lanes that have none',
      { lanes: { delta: 100, rowCounts: 0, metrics: ['loss'], length: 103 } },
    ],
    ['that tells who was clipped without noise', { clipIndicator: true }],
    ['that counts rows', { lanes: { delta: 100, rowCounts: 10, metrics: [], length: 112 } }],
  ])('is unbounded after a sum %s', (_, over) => {
    expect(ownEpsilon(ledgerOf(part(1, over)), account)).toBe(Number.POSITIVE_INFINITY);
    expect(localEpsilon(ledgerOf(part(1, over)), 1e-5)).toBe(Number.POSITIVE_INFINITY);
  });

  it('of its own noise alone is that of a twentieth of the sum’s', () => {
    expect(localEpsilon(ledgerOf(part(1)), 1e-5)).toBeCloseTo(expected(1, 1), 9);
  });

  it('holds against readers where the coordinator adds the noise, and then nothing is its own', () => {
    const central = { multiplier: 2, clipMultiplier: 0, metricMultiplier: 0 };
    const state = ledgerOf(part(1, { noise: { mechanism: 'gaussian', ...central } }));
    expect(ownEpsilon(state, account)).toBeCloseTo(analyticGaussianEpsilon(2, 1e-5), 9);
    expect(localEpsilon(state, 1e-5)).toBe(Number.POSITIVE_INFINITY);
  });

  it('of correlated noise counts as many parts of the one mechanism as it had', () => {
    const noise = {
      mechanism: 'tree',
      steps: 16,
      multiplier: 5,
      clipMultiplier: 0,
      metricMultiplier: 0,
    } as const;
    const participation = { most: 9, separation: 4 };
    const state = ledgerOf(...[1, 5, 9].map((attempt) => part(attempt, { noise, participation })));
    const release = {
      noise: { mechanism: 'tree', steps: 16 },
      noiseMultiplier: 5,
      participation: { most: 3, separation: 4 },
    } as const;
    const once = recordCorrelated(createLedger(), release);
    const whole = { ...once, correlated: once.correlated.map((known) => ({ ...known, rounds: 16 * 3 })) };
    expect(ownEpsilon(state, account)).toBe(spent(whole, 1e-5).readers);
  });

  it('of correlated noise reaches as far as the newest part, also where parts no longer say their rounds', async () => {
    const noise = {
      mechanism: 'tree',
      steps: 4,
      multiplier: 5,
      clipMultiplier: 0,
      metricMultiplier: 0,
    } as const;
    const over = { noise, participation: { most: 9, separation: 4 } };
    const ledger = await openPrivacyLedger(memoryClientStore());
    for (const attempt of [1, 50]) await ledger.charge(part(attempt, { ...over, protection: 'plain' }));
    const open = { ...ledgerOf(part(1, over), part(50, over)), lastRound: 50 };
    expect(ownEpsilon(ledger.state, account)).toBe(ownEpsilon(open, account));
  });
});

describe('a device’s own limits', () => {
  const reason = (
    over: Partial<Policy>,
    state: DeviceLedger,
    description = described(9),
  ): string | undefined => budgetReason({ ...DEFAULT_POLICY, ...over }, description, state);

  it('refuse the part that would exceed its budget, by the noise that is sure to be there', () => {
    const two = ledgerOf(part(1), part(2));
    expect(reason({ epsilonBudget: expected(20, 3) + 1e-9 }, two)).toBeUndefined();
    expect(reason({ epsilonBudget: expected(20, 3) - 1e-9 }, two)).toBe('privacy-budget-spent');
    expect(reason({}, two)).toBeUndefined();
    expect(
      reason({ epsilonBudget: 100 }, EMPTY_DEVICE_LEDGER, described(1, { noise: { mechanism: 'none' } })),
    ).toBe('privacy-budget-spent');
  });

  it('refuse more parts than its own cap or the description’s, and parts too close to each other', () => {
    const one = { ...ledgerOf(part(3)), lastRound: 3 };
    expect(reason({ participationCap: 1 }, one)).toBe('privacy-budget-spent');
    expect(reason({ participationCap: 2 }, one)).toBeUndefined();
    const capped = (most: number, separation: number) =>
      described(9, { participation: { most, separation } });
    expect(reason({}, one, capped(1, 1))).toBe('privacy-budget-spent');
    expect(reason({}, one, capped(2, 6))).toBeUndefined();
    expect(reason({}, one, capped(2, 7))).toBe('privacy-budget-spent');
  });
});

describe('noise that a device cannot check', () => {
  const task = { task: 'films', layoutHash: 'aa', catalogueHash: 'cc' } as never;
  const named = { task: 'films', layoutHash: 'aa', catalogueHash: 'cc' };
  const central = { multiplier: 2, clipMultiplier: 0, metricMultiplier: 0 };
  const answer = (policy: Partial<Policy>, over: Partial<RoundDescription>): string | undefined =>
    declineReason({ ...DEFAULT_POLICY, ...policy }, task, described(9, { ...named, ...over }), 0);

  it.each<[string, RoundDescription['noise']]>([
    ['gaussian', { mechanism: 'gaussian', ...central }],
    ['tree', { mechanism: 'tree', steps: 8, ...central }],
    ['banded', { mechanism: 'banded', steps: 8, coefficients: [2, 1], ...central }],
  ])('is taken only from a coordinator that the policy trusts: %s', (_, noise) => {
    expect(answer({}, { noise })).toBe('central-noise-refused');
    expect(answer({ trustCoordinatorNoise: true }, { noise })).toBeUndefined();
    expect(answer({ trustCoordinatorNoise: true, leastNoiseMultiplier: 2.1 }, { noise })).toBe(
      'noise-too-weak',
    );
  });

  it('is not believed in distributed noise: with assumed colluders the rest must carry what is asked for', () => {
    expect(answer({ leastNoiseMultiplier: 4 }, {})).toBeUndefined();
    expect(answer({ leastNoiseMultiplier: 4, assumedColluders: 2 }, {})).toBe('noise-too-weak');
    expect(answer({ leastNoiseMultiplier: 3.7, assumedColluders: 2 }, {})).toBeUndefined();
  });
});

describe('noise of the device’s own choice', () => {
  const policy = (localNoiseMultiplier: number): Policy => ({ ...DEFAULT_POLICY, localNoiseMultiplier });

  it('is a floor: it replaces a smaller part, and leaves a larger one', () => {
    const asked = (4 * L2) ** 2 / 20;
    expect(ownDeltaVariance(policy(0.1), described(1))).toBe(asked);
    expect(ownDeltaVariance(policy(3), described(1))).toBeCloseTo((3 * L2) ** 2, 3);
    expect(ownDeltaVariance(policy(3), described(1, { noise: { mechanism: 'none' } }))).toBeCloseTo(
      (3 * L2) ** 2,
      3,
    );
  });

  it('has an ε of its own, whoever else adds what', () => {
    const description = described(1);
    const own = partOf(description, ownDeltaVariance(policy(3), description));
    const release = {
      mechanism: 'skellam',
      l1: 10 * L2,
      l2: L2,
      variance: (3 * L2) ** 2,
      sampling: null,
    } as const;
    expect(localEpsilon(ledgerOf(own), 1e-5)).toBeCloseTo(
      spent(recordRelease(createLedger(), release), 1e-5).readers,
      9,
    );
  });

  it('is not added where the ring has no room for it', () => {
    const task = { task: 'films', layoutHash: 'aa', catalogueHash: 'cc' } as never;
    const named = described(9, { task: 'films', layoutHash: 'aa', catalogueHash: 'cc' });
    expect(declineReason(policy(100), task, named, 0)).toBeUndefined();
    expect(declineReason(policy(20_000), task, named, 0)).toBe('noise-too-weak');
  });
});
