import { seededRandom } from '@tutti/base';
import { generateFilmShelf, leaveOneOut, type SplitDataset } from '@tutti/datasets';
import { describe, expect, it } from 'vitest';
import { simulate, type SimulationOptions } from './index.ts';

/** Ratings that are 3 and what the person and the item add, up to ±1 each, and a little chance. */
function ratedShelf(people: number, items: number): SplitDataset {
  const random = seededRandom('ratings');
  const of = (count: number): number[] => Array.from({ length: count }, () => 2 * random.float() - 1);
  const [kind, good] = [of(people), of(items)];
  const lines = kind.flatMap((more, user) =>
    good.flatMap((better, item) =>
      random.float() < 0.2 ? [[user, item, 3 + more + better + 0.1 * random.normal()] as const] : [],
    ),
  );
  return leaveOneOut(
    {
      users: Int32Array.from(lines, ([user]) => user),
      items: Int32Array.from(lines, ([, item]) => item),
      timestamps: Float64Array.from(lines, () => random.int(1_000_000)),
      ratings: Float64Array.from(lines, ([, , rating]) => rating),
      userIds: kind.map((_, user) => `u${user}`),
      itemIds: good.map((_, item) => `i${item}`),
    },
    { name: 'rated shelf', candidates: 20 },
  );
}

const base: SimulationOptions = {
  dataset: ratedShelf(60, 120),
  model: { family: 'mf', dimension: 3, loss: 'mse' },
  rounds: 14,
  learningRate: 0.1,
  cohort: 30,
  protocol: 'plain',
  workers: 1,
  backend: 'cpu',
};

describe('a federation of ratings', () => {
  it('predicts them far better than their mean does, and secure lanes carry its RMSE', async () => {
    const { rmse, rounds, model } = await simulate(base);
    // Ratings spread by √(1/3 + 1/3) = .82 around their mean, and by .1 around what could be known.
    expect(rmse?.mean).toBeGreaterThan(0.7);
    expect(rmse?.test).toBeLessThan(0.6 * (rmse?.mean ?? 0));
    expect(rounds.at(-1)?.rmse).toBeLessThan(rounds[0]?.rmse ?? 0);
    expect(model['ratingMean']).toBeCloseTo(3, 0);
  });

  it('trains the neural families too', async () => {
    const { rmse } = await simulate({
      ...base,
      model: { family: 'gmf', dimension: 3, loss: 'mse' },
      rounds: 6,
    });
    expect(rmse?.test).toBeLessThan(0.8 * (rmse?.mean ?? 0));
  });

  it('is refused where there are none', async () => {
    const dataset = generateFilmShelf({ seed: 1, users: 20, items: 110 });
    await expect(simulate({ ...base, dataset, cohort: 20 })).rejects.toThrow('this data set holds none');
  });

  it('is refused where they are on no scale', async () => {
    const ratings = base.dataset.train.ratings?.map((rating) => 1e30 * rating);
    const dataset = { ...base.dataset, train: { ...base.dataset.train, ratings } } as SplitDataset;
    await expect(simulate({ ...base, dataset })).rejects.toThrow(
      /^model.loss: mse is for ratings on a scale within ±1000; those of this data set have a mean of 2\.\d+e\+30$/,
    );
  });

  it('says nothing of RMSE where ratings are not what is learned', async () => {
    const run = await simulate({
      ...base,
      model: { family: 'mf', dimension: 3 },
      rounds: 1,
      backend: 'auto',
    });
    expect(run).not.toHaveProperty('rmse');
    expect(run.rounds[0]).not.toHaveProperty('rmse');
  });
});
