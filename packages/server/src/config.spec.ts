import { describe, expect, it } from 'vitest';
import { configJsonSchema, decodeConfig } from './config.ts';
import { tasksOf } from './inspect-task.ts';

const catalogue = { ids: ['a', 'b'] };

describe('the configuration', () => {
  it('has a JSON schema beside it that editors complete from, made from the same definition', async () => {
    await expect(`${JSON.stringify(configJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(
      '../config.schema.json',
    );
  });

  it('fills in every default', () => {
    const config = decodeConfig({ tasks: [{ name: 'films', catalogue }] });
    expect(config).toMatchObject({ listen: { host: '127.0.0.1', port: 4_170 }, store: 'lmdb:./.tutti' });
    expect(config.tasks[0]).toMatchObject({
      model: { family: 'mlp' },
      round: { cohort: 100, largestGroup: 128 },
      privacy: { mechanism: 'skellam' },
      insecureSmallCohort: false,
    });
  });

  it('is refused with every problem at once, each with its path', () => {
    const wrong = { listen: { port: 70_000 }, tasks: [{ name: 'Films!', catalogue: { ids: [] }, rouns: 3 }] };
    expect(() => decodeConfig(wrong)).toThrow(
      /listen\.port[^]*tasks\[0\]\.name[^]*tasks\[0\]\.catalogue\.ids[^]*rouns/,
    );
    expect(() => decodeConfig(null)).toThrow('config');
  });

  it('refuses a catalogue that names an item twice, or has too few titles', () => {
    const catalogue = { ids: ['a', 'b', 'a'], titles: ['A'], genres: [[], [], []] };
    expect(() => decodeConfig({ tasks: [{ name: 'films', catalogue }] })).toThrow(
      /catalogue\.ids: a stands there twice[^]*catalogue\.titles: has 1 entries; there are 3 ids/,
    );
  });
});

describe('a content model in the configuration', () => {
  const withVectors = (vectors: unknown, ids = ['a', 'b']) =>
    tasksOf(
      decodeConfig({ tasks: [{ name: 'films', catalogue: { ids, vectors }, model: { family: 'content' } }] }),
    )[0];

  it('takes the length of vectors from them, and tells devices their digest alone', () => {
    const made = withVectors([[1, 2, 3], []]);
    expect(made?.model.config).toMatchObject({ family: 'content', vectorLength: 3, dimension: 64 });
    expect(made?.vectors).toEqual([[1, 2, 3], []]);
    const told = JSON.parse(new TextDecoder().decode(made?.catalogue)) as Record<string, unknown>;
    expect(Object.keys(told).sort()).toEqual(['ids', 'vectorsHash']);
    const other = withVectors([[1, 2, 4], []]);
    expect(other?.catalogue).not.toEqual(made?.catalogue);
  });

  it('reads titles and genres, and needs one of the three', () => {
    const catalogue = { ids: ['a', 'b'], genres: [['x'], []] };
    const task = { name: 'films', model: { family: 'content' as const } };
    expect(tasksOf(decodeConfig({ tasks: [{ ...task, catalogue }] }))[0]?.model.config).toMatchObject({
      vectorLength: 0,
    });
    expect(() => tasksOf(decodeConfig({ tasks: [{ ...task, catalogue: { ids: ['a'] } }] }))).toThrow(
      'tasks[0].catalogue: model content: no item has a genre, a title or a vector',
    );
  });

  it.each([
    [
      [
        [1, 2],
        [Number.NaN, 0],
      ],
      /tasks\[0\]\.catalogue\.vectors\[1\]\[0\]: .*\(item b\)/,
    ],
    [[[Number.POSITIVE_INFINITY], [0]], /tasks\[0\]\.catalogue\.vectors\[0\]\[0\]: .*\(item a\)/],
    [
      [
        [1, 2],
        ['3', 4],
      ],
      /tasks\[0\]\.catalogue\.vectors\[1\]\[0\]: .*\(item b\)/,
    ],
    [[[1, 2], [3]], 'tasks[0].catalogue: catalogue.vectors: that of item b has 1 numbers; 2 are expected'],
    [[[1, 2]], 'tasks[0].catalogue.vectors: has 1 entries; there are 2 ids'],
  ])('refuses vectors %j by the item', (vectors, text) => {
    expect(() => withVectors(vectors)).toThrow(text);
  });

  it('takes a catalogue of one item, and refuses one that stands there twice', () => {
    expect(withVectors([[1]], ['only'])?.model.items).toBe(1);
    expect(() => withVectors([[1], [1]], ['a', 'a'])).toThrow('a stands there twice');
  });
});

describe('privacy in the configuration', () => {
  const taskWith = (over: object) =>
    tasksOf(decodeConfig({ tasks: [{ name: 'films', catalogue, ...over }] }))[0];
  const round = { cohort: 100, smallestCohort: 100, overselection: 1 };
  const budget = { mechanism: 'skellam', epsilon: 8, delta: 1e-5 } as const;

  it('is the default noise of the family, of which no ε is counted', () => {
    expect(taskWith({})?.noise).toEqual({
      multiplier: 0.08,
      metricMultiplier: 0,
      mechanism: { name: 'skellam' },
    });
  });

  it('finds the least noise that the budget allows for the rounds that are planned', () => {
    const privacy = { ...budget, survivorShare: 1 };
    const few = taskWith({ round, rounds: 10, metrics: false, privacy });
    const many = taskWith({ round, rounds: 40, metrics: false, privacy });
    // Skellam noise, accounted by RDP: .638·√rounds (a Gaussian's, to half a percent).
    expect(few?.noise.multiplier).toBeCloseTo(0.638 * Math.sqrt(10), 1);
    expect((many?.noise.multiplier ?? 0) / (few?.noise.multiplier ?? 1)).toBeCloseTo(2, 1);
    expect(few?.noise.accounting).toEqual({ dpDelta: 1e-5, epsilonBudget: 8 });
    const measured = taskWith({ round, rounds: 10, privacy });
    expect(measured?.noise.multiplier).toBeGreaterThan(few?.noise.multiplier ?? 0);
    expect(measured?.noise.metricMultiplier).toBeCloseTo(6 * (measured?.noise.multiplier ?? 0), 9);
  });

  it('gives noise that cancels a strategy in which it does', () => {
    const made = taskWith({
      round,
      rounds: 16,
      metrics: false,
      privacy: { ...budget, mechanism: 'banded', participation: { most: 2, separation: 8 } },
    });
    expect(made?.strategy.name).toBe('fedavgm');
    expect(made?.noise).toMatchObject({
      mechanism: { name: 'banded', steps: 16 },
      participation: { most: 2, separation: 8 },
    });
  });

  it('reaches the engine: adaptive clipping, Poisson samples, colluders', () => {
    const made = taskWith({
      round: { ...round, smallestCohort: 50, poissonPopulation: 2_000 },
      adaptiveClipping: {},
      privacy: { mechanism: 'skellam', noiseMultiplier: 1, delta: 1e-5, against: 'readers', colluders: 3 },
    });
    expect(made).toMatchObject({
      adaptiveClipping: { quantile: 0.5, learningRate: 0.2 },
      poisson: { population: 2_000 },
      noise: { colluders: 3, metricMultiplier: 6, accounting: { dpDelta: 1e-5, against: 'readers' } },
    });
  });

  it.each<[string, object]>([
    ['privacy.epsilon: 8 needs a privacy.delta', { privacy: { mechanism: 'skellam', epsilon: 8 } }],
    ['privacy.epsilon: 8 for how many rounds', { privacy: budget }],
    ['privacy.mechanism: tree needs a noiseMultiplier', { privacy: { mechanism: 'tree' } }],
    ['privacy.steps: tree over how many rounds', { privacy: { mechanism: 'tree', noiseMultiplier: 1 } }],
    [
      'privacy.epsilon: 0.0001 over 100000 rounds needs a noise multiplier above 1000',
      { rounds: 100_000, privacy: { ...budget, epsilon: 1e-4 } },
    ],
    [
      'privacy.metricNoiseMultiplier: is found',
      { rounds: 5, privacy: { ...budget, metricNoiseMultiplier: 1 } },
    ],
    ['round.poissonPopulation: 10 is not', { round: { poissonPopulation: 10 } }],
    ['privacy.colluders: 90 is not', { privacy: { mechanism: 'skellam', colluders: 90 } }],
  ])('is refused by its path: %s', (text, over) => {
    expect(() => taskWith(over)).toThrow(`tasks[0].${text}`);
  });
});
