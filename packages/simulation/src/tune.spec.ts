import { generateFilmShelf, type SplitDataset } from '@tutti/datasets';
import { describe, expect, it } from 'vitest';
import { simulate, tune, tunedOptions, type SimulationOptions } from './index.ts';
import { trainAndMeasure } from './simulate.ts';

const dataset = generateFilmShelf({ seed: 5, users: 20, items: 120 });
const { validation: _validation, ...unvalidated } = dataset;

const options: SimulationOptions = {
  dataset,
  model: { family: 'mf', dimension: 4 },
  rounds: 40,
  cohort: 16,
  seed: 3,
  protocol: 'plain',
  workers: 1,
};

/** The same people with other test items. */
const otherTests: SplitDataset = {
  ...dataset,
  test: { ...dataset.test, positives: dataset.test.positives.map((item) => (item + 1) % dataset.items) },
};

describe('tuning', () => {
  it('tries the defaults first and keeps what ranks validation items best, whatever the test items, masks and threads', async () => {
    const heard: number[] = [];
    const { tried, chosen } = await tune(options, {
      rounds: 1,
      onTried: ({ validation }) => heard.push(validation.ndcg10),
    });
    const [first] = tried;
    expect(Object.keys(first?.settings ?? {})).toEqual(['unobservedWeight', 'regularization']);
    const ratios = tried.map(({ settings }) =>
      ['unobservedWeight', 'regularization'].map(
        (name) => (settings[name] ?? 0) / (first?.settings[name] ?? 1),
      ),
    );
    expect(ratios.slice(0, 3)).toEqual([
      [1, 1],
      [0.5, 1],
      [2, 1],
    ]);
    expect(ratios.slice(3).map(([, second]) => second)).toEqual([expect.closeTo(1 / 3), expect.closeTo(3)]);
    const best = Math.max(...heard);
    expect(tried.find(({ settings }) => settings === chosen)?.validation.ndcg10).toBe(best);
    expect(tried.map(({ validation }) => validation.people)).toEqual(tried.map(() => 20));
    const { metrics } = await trainAndMeasure({
      ...tunedOptions(options, first?.settings ?? {}),
      ...{ dataset: otherTests, protocol: 'secure', workers: 2, rounds: 1, fit: 'train-only' },
    });
    expect({ hr10: metrics.hr10, ndcg10: metrics.ndcg10, people: metrics.evaluated }).toEqual(
      first?.validation,
    );
  });

  it('sweeps the server’s step only where candidates are not much shorter than the federation', async () => {
    const begun = tune(
      { ...options, rounds: 2 },
      {
        rounds: 1,
        onTried: ({ settings }) => {
          throw new Error(Object.keys(settings).join(' '));
        },
      },
    );
    await expect(begun).rejects.toThrow('unobservedWeight regularization serverLearningRate');
  });

  it('gives the federation that it chose', async () => {
    const settings = { unobservedWeight: 0.7, serverLearningRate: 0.5 };
    const tuned = tunedOptions({ ...options, rounds: 1 }, settings);
    const { model, strategy } = await simulate(tuned);
    expect([model['unobservedWeight'], strategy['learningRate'], model['dimension']]).toEqual([0.7, 0.5, 4]);
  });

  it('refuses data without validation items, and budgets that a sweep would overdraw', async () => {
    const without = { ...unvalidated, validation: undefined };
    await expect(tune({ ...options, dataset: without })).rejects.toThrow('this data set has none');
    await expect(tune({ ...options, privacy: { epsilon: 8 } })).rejects.toThrow('costs ε that nobody counts');
  });
});
