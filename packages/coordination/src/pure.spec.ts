import { seededRandom, utf8 } from '@tutti/base';
import fc from 'fast-check';
import { createModel, resolveModelConfig } from '@tutti/model';
import { describe, expect, it } from 'vitest';
import { LARGEST_NOISE_VARIANCE, roundedSensitivity } from '@tutti/privacy';
import { decodeDescription } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import { splitIntoGroups } from './groups.ts';
import { describeAttempt } from './describe.ts';
import { applyEntry, EMPTY_HISTORY } from './history.ts';
import { decodeJournalEntry, JOURNAL_VERSION, type JournalEntry } from './journal.ts';
import { pace } from './pace.ts';
import type { TaskConfig } from './task-config.ts';
import { problemsOfTask } from './task-problems.ts';

const config: TaskConfig = {
  name: 'films',
  model: createModel(resolveModelConfig({ family: 'mf', dimension: 4 }, { items: 10, meanHistory: 3 }), 10),
  catalogue: utf8('{}'),
  strategy: { name: 'fedavg' },
  clippingNorm: 1,
  rounds: 10,
  cohort: { planned: 40, smallest: 16, largestGroup: 128, overselection: 1.3 },
  deadlinesMs: { train: 1, shareKeys: 1, maskedInput: 1, unmask: 1 },
  protection: 'secure',
  noise: { multiplier: 0, metricMultiplier: 0 },
  seed: '1',
  keepCheckpoints: 1,
};

describe('a task’s configuration', () => {
  it('is refused with everything that is wrong, each with both sides', () => {
    expect(problemsOfTask(config)).toEqual([]);
    const problems = problemsOfTask({
      ...config,
      clippingNorm: -1,
      strategy: { name: 'fedadam', beta1: 2 },
      cohort: { planned: 12, smallest: 20, largestGroup: 1, overselection: 0 },
      noise: { multiplier: 0, metricMultiplier: 0, accounting: { dpDelta: 1e-5 } },
    }).map(({ path }) => path);
    expect(new Set(problems)).toEqual(
      new Set([
        'clippingNorm',
        'strategy',
        'cohort.planned',
        'cohort.smallest',
        'cohort.largestGroup',
        'cohort.overselection',
        'noise.accounting',
      ]),
    );
  });

  it('below 16 needs the option whose name says that it is insecure', () => {
    const small = { ...config, cohort: { planned: 8, smallest: 8, largestGroup: 8, overselection: 1 } };
    expect(problemsOfTask(small).map(({ problem }) => problem)[0]).toContain(
      '8 is below 16, the smallest cohort for semi-honest secure aggregation (set insecureSmallCohort to override)',
    );
    expect(problemsOfTask({ ...small, insecureSmallCohort: true })).toEqual([]);
  });
});

describe('a description', () => {
  const facts = {
    purpose: 'train',
    round: 1,
    attempt: 1,
    previousDigest: '0'.repeat(64),
    modelHash: 'a'.repeat(64),
    layoutHash: 'b'.repeat(64),
    catalogueHash: 'c'.repeat(64),
    planned: 40,
  } as const;

  it('splits the noise so that the fewest survivors already carry z·C', () => {
    const { noise, scale, lanes } = describeAttempt(
      { ...config, noise: { multiplier: 0.5, metricMultiplier: 0 } },
      facts,
    );
    // C is what the delta keeps to before rounding; the noise is for what it keeps to afterwards. The smallest cohort is 16: t = ⌊2·15/3⌋ + 1 = 11, and one survivor more.
    expect(noise).toMatchObject({
      mechanism: 'skellam',
      multiplier: 0.5,
      deltaVariance: (0.5 * roundedSensitivity(config.clippingNorm * scale.delta, lanes.delta)) ** 2 / 12,
    });
  });

  it('grows coarser where a device could not draw its part of the noise, and says what noise that is', () => {
    for (const [multiplier, metricMultiplier] of [
      [0.01, 0.01],
      [8, 24],
      [400, 1_000],
    ] as const) {
      const described = describeAttempt({ ...config, noise: { multiplier, metricMultiplier } }, facts);
      const { noise, scale, lanes } = decodeDescription(structuredClone(described));
      if (noise.mechanism !== 'skellam') throw new Error('no noise');
      expect(noise.deltaVariance).toBeLessThanOrEqual(LARGEST_NOISE_VARIANCE);
      expect(noise.metricVariance).toBeLessThanOrEqual(LARGEST_NOISE_VARIANCE);
      const sensitivity = roundedSensitivity(config.clippingNorm * scale.delta, lanes.delta);
      expect((noise.deltaVariance * 12) / (multiplier * sensitivity) ** 2).toBeCloseTo(1, 9);
      expect(Number.isInteger(scale.metric)).toBe(true);
      expect(scale.weight).toBeLessThanOrEqual(scale.metric);
    }
    const beyond = describeAttempt({ ...config, noise: { multiplier: 1, metricMultiplier: 1 } }, facts);
    const loud = { ...beyond, noise: { ...beyond.noise, deltaVariance: 2 * LARGEST_NOISE_VARIANCE } };
    expect(() => decodeDescription(loud)).toThrow('noise.deltaVariance');
  });

  it('always fits the ring, whatever noise and cohort a configuration may ask for', () => {
    const asked = fc.record({
      multiplier: fc.double({ min: 0, max: 1_000, noNaN: true }),
      metricMultiplier: fc.double({ min: 0, max: 10_000, noNaN: true }),
      planned: fc.integer({ min: 16, max: 100_000 }),
    });
    fc.assert(
      fc.property(asked, ({ planned, ...noise }) => {
        const cohort = { ...config.cohort, planned };
        expect(() => describeAttempt({ ...config, cohort, noise }, { ...facts, planned })).not.toThrow();
      }),
    );
  });

  describe('has words', () => {
    const asked = (noise: TaskConfig['noise'], more: Partial<TaskConfig> = {}, planned = 100) =>
      describeAttempt(
        { ...config, noise, cohort: { ...config.cohort, planned, largestGroup: planned }, ...more },
        { ...facts, planned },
      );
    const none = { multiplier: 0, metricMultiplier: 0 };
    const usual = { multiplier: 0.02, metricMultiplier: 0 };
    const wide = createModel(
      resolveModelConfig({ family: 'mf', dimension: 16 }, { items: 10_000, meanHistory: 3 }),
      10_000,
    );

    // C·S is 2^14 for up to 2^17 lanes of noise, 2^16 above (differential-privacy.md). 447·(2^14 + 1) is the last group below 7/8 of 2^23.
    it.each<[string, TaskConfig['noise'], number, 24 | 32, number, number]>([
      ['without noise', none, 100, 32, 2 ** 20, 2 ** 16],
      ['with the default noise', usual, 100, 24, 2 ** 14, 2 ** 14],
      ['with noise for ε = 8', { multiplier: 0.6, metricMultiplier: 1.8 }, 128, 24, 2 ** 14, 2 ** 13],
      ['in the largest group', usual, 447, 24, 2 ** 14, 2 ** 12],
      ['in one larger by one', usual, 448, 32, 2 ** 14, 2 ** 16],
      [
        'with noise whose tail alone fills the ring',
        { multiplier: 60, metricMultiplier: 0 },
        100,
        32,
        2 ** 14,
        2 ** 16,
      ],
    ])('%s', (_name, noise, planned, wordBits, delta, unit) => {
      expect(asked(noise, {}, planned)).toMatchObject({
        wordBits,
        scale: { delta: delta / config.clippingNorm, weight: unit, metric: unit },
      });
    });

    it('of 24 bits for a large model too, with the scale that its noise asks for', () => {
      expect(wide.layout.length).toBeGreaterThan(2 ** 17);
      expect(asked(usual, { model: wide }, 100)).toMatchObject({ wordBits: 24, scale: { delta: 2 ** 16 } });
      expect(asked(usual, { model: wide }, 128)).toMatchObject({ wordBits: 32, scale: { delta: 2 ** 16 } });
    });

    it('as wide as they are asked to be, with scales that fit', () => {
      expect(asked(usual, { wordBits: 32 }, 100)).toMatchObject({ wordBits: 32, scale: { weight: 2 ** 16 } });
      expect(asked(none, { wordBits: 24 }, 100)).toMatchObject({ wordBits: 24, scale: { delta: 2 ** 16 } });
    });

    it('that are too narrow for what is asked of them are refused, with both sides', () => {
      const loud = { multiplier: 60, metricMultiplier: 0 };
      expect(() => asked(loud, { wordBits: 24 })).toThrow(
        /a sum can reach \d+.*; it must stay below 8388608/,
      );
      const cohort = { ...config.cohort, planned: 100 };
      expect(problemsOfTask({ ...config, cohort, noise: loud, wordBits: 24 })).toMatchObject([
        { path: 'wordBits', problem: expect.stringContaining('it must stay below 8388608') as string },
      ]);
      expect(problemsOfTask({ ...config, cohort, noise: loud })).toEqual([]);
      expect(problemsOfTask({ ...config, wordBits: 16 as 24 })).toMatchObject([
        { path: 'wordBits', problem: '16 is none of 24, 32, auto' },
      ]);
    });
  });

  it('of an evaluation holds metric lanes alone', () => {
    expect(describeAttempt(config, { ...facts, purpose: 'evaluate' }).lanes).toMatchObject({
      delta: 0,
      length: 6,
    });
  });
});

describe('groups', () => {
  it('are a partition of nearly equal sizes, none above the largest, whatever the order of arrival', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 700 }),
        fc.integer({ min: 2, max: 130 }),
        fc.integer(),
        (n, largest, seed) => {
          const ids = Array.from({ length: n }, (_, i) => String(i).padStart(4, '0') as ClientId);
          const random = seededRandom(seed);
          const groups = splitIntoGroups(ids, largest, (bound) => random.int(bound));
          expect(groups.flat().sort()).toEqual(ids);
          const sizes = groups.map(({ length }) => length);
          expect(Math.max(...sizes)).toBeLessThanOrEqual(largest);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 100, seed: 5 },
    );
  });
});

describe('pace steering', () => {
  it('lets small populations wait, and sends large ones away for as long as a round for everybody takes', () => {
    expect(pace({ waiting: 300, needed: 52, roundMs: 4_000 }, 0.5).kind).toBe('waiting');
    const answer = pace({ waiting: 100_000, needed: 100, roundMs: 10_000 }, 0.5);
    expect(answer).toEqual({ kind: 'later', retryAfterMs: 3_600_000 });
    const soon = pace({ waiting: 3_000, needed: 100, roundMs: 10_000 }, 0);
    expect(soon).toEqual({ kind: 'later', retryAfterMs: 150_000 });
  });
});

describe('the journal', () => {
  const opened: JournalEntry = {
    v: JOURNAL_VERSION,
    type: 'attempt-opened',
    atMs: 1,
    round: 1,
    attempt: 7,
    identity: 'enrolled',
    purpose: 'train',
    digest: 'd'.repeat(64),
  };

  it('remembers an attempt that was opened, and never gives its number again', () => {
    const history = applyEntry(EMPTY_HISTORY, opened);
    expect(history).toMatchObject({ attempt: 7, open: opened, previousDigest: opened.digest, length: 1 });
    expect(EMPTY_HISTORY.attempt).toBe(0);
  });

  it('is decoded strictly, and only ever refused (fuzz)', () => {
    expect(decodeJournalEntry(JSON.parse(JSON.stringify(opened)))).toEqual(opened);
    // What 0.1.0 wrote, when there was one level.
    const { identity: _, ...old } = opened;
    expect(decodeJournalEntry(old)).toEqual({ ...opened, identity: 'open' });
    expect(() => decodeJournalEntry({ ...opened, extra: 1 })).toThrow('journal');
    expect(() => decodeJournalEntry({ ...opened, v: 2 })).toThrow('journal.v');
    expect(() => decodeJournalEntry({ ...opened, attempt: -1 })).toThrow('journal.attempt');
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          decodeJournalEntry(value);
        } catch (error) {
          expect((error as Error).name).toBe('DecodeError');
        }
      }),
      { numRuns: 5_000, seed: 6 },
    );
  });
});
