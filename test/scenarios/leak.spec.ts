import { seededRandom, type SeededRandom } from '@tutti/base';
import { generateFilmShelf } from '@tutti/datasets';
import { evaluateSampled, neverNegativeScorer, type NegativeSampler } from '@tutti/evaluation';
import { drawExamples } from '@tutti/model';
import { describe, expect, it } from 'vitest';

/**
 * Published federated-recommendation figures mostly rest on a leak: held-out items are never drawn as training negatives, so
 * a model learns which items those are. Here the sampler that training uses is examined, not a copy of it.
 */

const ROUNDS = 60;
const NEGATIVES = 4;
const data = generateFilmShelf({ seed: 3, users: 240, items: 200 });

/** What training draws, one negative at a time; `spared` items are never drawn, as a leaking pipeline would have it. */
function trainingSampler(spared: (user: number, item: number) => boolean): NegativeSampler {
  const left = new Map<number, number[]>();
  const refill = (positives: ReadonlySet<number>, random: SeededRandom): number[] => {
    const { items, labels } = drawExamples(Int32Array.from(positives), data.items, NEGATIVES, random);
    return [...items].filter((_, i) => labels[i] === 0);
  };
  return (user, positives, random) => {
    for (;;) {
      const drawn = left.get(user)?.length ? (left.get(user) as number[]) : refill(positives, random);
      left.set(user, drawn);
      const item = drawn.pop() as number;
      if (!spared(user, item)) return item;
    }
  };
}

async function hitRate(sampler: NegativeSampler): Promise<number> {
  const { score } = neverNegativeScorer(
    { ...data.train, users: data.users, items: data.items },
    sampler,
    ROUNDS,
    seededRandom('canary'),
  );
  return (await evaluateSampled({ scorer: score, test: data.test })).hr;
}

describe('the leak canary on the sampler that training uses', () => {
  it('stays at chance: who remembers which items were never negatives knows nothing', async () => {
    expect(await hitRate(trainingSampler(() => false))).toBeLessThanOrEqual(0.13);
  });

  it('would catch a pipeline that spares the held-out item', async () => {
    const leaking = trainingSampler((user, item) => item === data.test.positives[user]);
    expect(await hitRate(leaking)).toBeGreaterThan(0.9);
  });
});
