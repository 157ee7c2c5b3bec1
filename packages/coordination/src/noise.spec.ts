import { seededRandom } from '@tutti/base';
import { adaptiveNoise, roundedSensitivity } from '@tutti/privacy';
import type { ClientId } from '@tutti/secure-aggregation';
import { describe, expect, it } from 'vitest';
import { FACTS, smallTask } from '../test/small-task.ts';
import { describeAttempt } from './describe.ts';
import { Lobby } from './lobby.ts';
import { EMPTY_HISTORY } from './history.ts';
import { chooseCohort, roomFor, wantedNext } from './selection.ts';
import type { TaskConfig } from './task-config.ts';
import { problemsOfTask } from './task-problems.ts';

const accounting = { dpDelta: 1e-5 };
const adaptiveClipping = { quantile: 0.5, learningRate: 0.2 };

describe('noise in a configuration', () => {
  it.each<[string, Partial<TaskConfig>]>([
    ['noise.multiplier', { noise: { multiplier: -1, metricMultiplier: 0 } }],
    ['noise.metricMultiplier', { noise: { multiplier: 1, metricMultiplier: 1e5 } }],
    ['noise.survivorShare', { noise: { multiplier: 1, metricMultiplier: 1, survivorShare: 1.1 } }],
    ['noise.colluders', { noise: { multiplier: 1, metricMultiplier: 1, colluders: 12 } }],
    [
      'noise.participation.most',
      { noise: { multiplier: 1, metricMultiplier: 1, participation: { most: 0, separation: 1 } } },
    ],
    [
      'noise.accounting.dpDelta',
      { noise: { multiplier: 1, metricMultiplier: 1, accounting: { dpDelta: 1 } } },
    ],
    [
      'noise.accounting.epsilonBudget',
      { noise: { multiplier: 1, metricMultiplier: 1, accounting: { ...accounting, epsilonBudget: 0 } } },
    ],
    ['noise.accounting', { noise: { multiplier: 1, metricMultiplier: 0, accounting } }],
    [
      'noise.accounting.against',
      {
        noise: {
          multiplier: 1,
          metricMultiplier: 1,
          mechanism: { name: 'gaussian' },
          accounting: { ...accounting, against: 'coordinator' },
        },
      },
    ],
    ['rowCounts', { rowCounts: true, noise: { multiplier: 1, metricMultiplier: 1, accounting } }],
    [
      'noise.mechanism',
      { noise: { multiplier: 1, metricMultiplier: 1, mechanism: { name: 'tree', steps: 0 } } },
    ],
    [
      'noise.mechanism',
      {
        noise: {
          multiplier: 1,
          metricMultiplier: 1,
          mechanism: { name: 'banded', steps: 4, coefficients: [1, 2] },
        },
      },
    ],
    [
      'strategy',
      {
        strategy: { name: 'fedadam' },
        noise: { multiplier: 1, metricMultiplier: 1, mechanism: { name: 'tree', steps: 4 } },
      },
    ],
    [
      'adaptiveClipping',
      {
        adaptiveClipping,
        noise: { multiplier: 1, metricMultiplier: 1, mechanism: { name: 'tree', steps: 4 } },
      },
    ],
    ['adaptiveClipping', { adaptiveClipping, noise: { multiplier: 4, metricMultiplier: 1 } }],
    ['adaptiveClipping', { adaptiveClipping: { quantile: 2, learningRate: 0.2 } }],
    [
      'poisson',
      {
        poisson: { population: 400 },
        cohort: { planned: 40, smallest: 8, largestGroup: 64, overselection: 1 },
        insecureSmallCohort: true,
        noise: { multiplier: 1, metricMultiplier: 1, accounting, mechanism: { name: 'tree', steps: 4 } },
      },
    ],
    [
      'poisson.population',
      {
        poisson: { population: 50 },
        cohort: { planned: 100, smallest: 16, largestGroup: 64, overselection: 1 },
      },
    ],
    [
      'combine',
      {
        combine: 'median',
        cohort: { planned: 90, smallest: 48, largestGroup: 31, overselection: 1 },
        noise: { multiplier: 1, metricMultiplier: 1, mechanism: { name: 'gaussian' } },
      },
    ],
    [
      'cohort.smallest',
      {
        poisson: { population: 5_000 },
        cohort: { planned: 40, smallest: 20, largestGroup: 64, overselection: 1 },
      },
    ],
  ])('%s is refused for a reason', (path, over) => {
    expect(problemsOfTask(smallTask(over)).map((problem) => problem.path)).toEqual([path]);
  });

  it('z ≥ m/10 has no solution with adaptive clipping, and both sides are told', () => {
    const [problem] = problemsOfTask(
      smallTask({ adaptiveClipping, noise: { multiplier: 4, metricMultiplier: 1 } }),
    );
    expect(problem?.problem).toContain('below 4 is needed');
    expect(
      problemsOfTask(smallTask({ adaptiveClipping, noise: { multiplier: 3.9, metricMultiplier: 1 } })),
    ).toEqual([]);
  });
});

describe('a description', () => {
  it('with adaptive clipping asks for the indicator, with its share of the noise', () => {
    const config = smallTask({ adaptiveClipping, noise: { multiplier: 1, metricMultiplier: 1 } });
    const { noise, scale, lanes, clipIndicator } = describeAttempt(config, FACTS);
    if (noise.mechanism !== 'skellam') throw new Error('no noise');
    const { deltaMultiplier, indicatorStddev } = adaptiveNoise(1, 40);
    const l2 = roundedSensitivity(scale.delta, lanes.delta);
    expect(clipIndicator).toBe(true);
    expect(Math.sqrt(noise.clipVariance * noise.survivors)).toBeCloseTo(indicatorStddev * scale.weight, 6);
    expect(Math.sqrt(noise.deltaVariance * noise.survivors) / l2).toBeCloseTo(deltaMultiplier, 9);
    expect(noise.multiplier).toBe(deltaMultiplier);
  });

  it('does not ask who was clipped where ε is counted and nothing adapts to it', () => {
    const noise = { multiplier: 1, metricMultiplier: 1 };
    expect(describeAttempt(smallTask({ noise }), FACTS).clipIndicator).toBe(true);
    expect(describeAttempt(smallTask({ noise: { ...noise, accounting } }), FACTS).clipIndicator).toBe(false);
  });

  it('means the noise for the part of a group that has to survive', () => {
    const at = (survivorShare: number | undefined) => {
      const noise = {
        multiplier: 1,
        metricMultiplier: 0,
        ...(survivorShare === undefined ? {} : { survivorShare }),
      };
      const cohort = { planned: 40, smallest: 40, largestGroup: 128, overselection: 1 };
      const described = describeAttempt(smallTask({ noise, cohort }), FACTS).noise;
      return described.mechanism === 'skellam' ? described : undefined;
    };
    // t = ⌊2·39/3⌋ + 1 = 27, and one more.
    expect([at(undefined)?.survivors, at(0.5)?.survivors, at(0.9)?.survivors, at(1)?.survivors]).toEqual([
      28, 28, 36, 40,
    ]);
    expect((at(1)?.deltaVariance ?? 0) / (at(undefined)?.deltaVariance ?? 0)).toBeCloseTo(28 / 40, 12);
  });

  it('has no metric lanes where they are off', () => {
    const { lanes } = describeAttempt(smallTask({ metrics: false }), FACTS);
    expect(lanes).toMatchObject({ metrics: [], length: 42 });
  });

  it('tells devices their cap', () => {
    const participation = { most: 3, separation: 5 };
    const noise = { multiplier: 1, metricMultiplier: 1, participation };
    expect(describeAttempt(smallTask({ noise }), FACTS).participation).toEqual(participation);
  });

  it('keeps wide draws of correlated noise within what can be drawn', () => {
    const mechanism = { name: 'banded', steps: 100, coefficients: [1_024, 512] } as const;
    const { noise, scale, lanes } = describeAttempt(
      smallTask({ noise: { multiplier: 900, metricMultiplier: 1, mechanism } }),
      FACTS,
    );
    if (noise.mechanism !== 'banded') throw new Error('no noise');
    const deviation = 1_024 * noise.multiplier * roundedSensitivity(scale.delta, lanes.delta);
    expect(deviation).toBeLessThanOrEqual(2 ** 25);
    expect(deviation).toBeGreaterThan(2 ** 24);
  });
});

const client = (number: number): ClientId => String(number).padStart(6, '0') as ClientId;

function lobbyOf(count: number, seed: string): Lobby {
  const lobby = new Lobby(seededRandom(seed));
  for (let number = 0; number < count; number++) lobby.checkIn(client(number), count);
  return lobby;
}

describe('a Poisson sample', () => {
  const poisson = smallTask({
    poisson: { population: 1_000 },
    cohort: { planned: 100, smallest: 16, largestGroup: 128, overselection: 1 },
  });
  const wanted = { purpose: 'train', clients: 1_000, least: 160 } as const;

  it('asks each client with chance q by itself: sizes and pairs over 400 samples of 1,000', () => {
    // Sizes: mean 100, variance q(1−q)N = 90; over 400 samples their mean has a deviation of .47, their variance one of 6.4. Five
    // deviations each: false alarm 1e-6. A fixed cohort would have variance 0.
    const lobby = lobbyOf(1_000, 'poisson');
    const sizes: number[] = [];
    let both = 0;
    for (let i = 0; i < 400; i++) {
      const { clients = [] } = chooseCohort(poisson, lobby, wanted) ?? {};
      sizes.push(clients.length);
      if (clients.includes(client(3)) && clients.includes(client(700))) both++;
    }
    const mean = sizes.reduce((sum, size) => sum + size, 0) / 400;
    const variance = sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / 399;
    expect(Math.abs(mean - 100)).toBeLessThan(2.4);
    expect(Math.abs(variance - 90)).toBeLessThan(32);
    expect(both).toBeLessThan(20); // 4 on average, Poisson: P[≥ 20] = 1e-8
  });

  it('is described for as many as it has, waits for the population, and is drawn anew where it is too small', () => {
    const cohort = chooseCohort(poisson, lobbyOf(1_000, 'described'), wanted);
    expect(cohort?.planned).toBe(cohort?.clients.length);
    expect(roomFor(poisson)).toBe(1_000);
    expect(wantedNext(poisson, EMPTY_HISTORY, { connected: 5, evaluation: false, trial: undefined })).toEqual(
      { ...wanted },
    );
    expect(chooseCohort(poisson, lobbyOf(10, 'few'), wanted)).toBeUndefined();
  });

  it('takes nobody until it is taken', () => {
    const lobby = lobbyOf(100, 'taken');
    const clients = lobby.sample(0.5);
    expect(lobby.waiting).toBe(100);
    lobby.take(clients);
    expect(lobby.waiting).toBe(100 - clients.length);
    expect(lobby.sample(1)).toHaveLength(lobby.waiting);
  });
});

describe('a client that took part', () => {
  it('rests for the least separation, and for good when it has taken part as often as it may', () => {
    const lobby = lobbyOf(3, 'rest');
    const participation = { most: 2, separation: 4 };
    lobby.tookPart(client(0), 1, participation);
    expect(lobby.waiting).toBe(2);
    lobby.wake(4);
    expect(lobby.waiting).toBe(2);
    lobby.wake(5);
    expect(lobby.waiting).toBe(3);
    lobby.tookPart(client(0), 5, participation);
    lobby.wake(1_000_000);
    expect(lobby.waiting).toBe(2);
    lobby.checkIn(client(0), 3);
    expect(lobby.waiting).toBe(2);
  });

  it('that leaves while it rests comes back to rest', () => {
    const lobby = lobbyOf(2, 'leaves');
    lobby.rest(client(1), 9);
    lobby.leave(client(1));
    lobby.wake(9);
    expect(lobby.waiting).toBe(1);
    lobby.checkIn(client(1), 2);
    expect(lobby.waiting).toBe(2);
  });
});
