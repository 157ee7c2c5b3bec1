import { UsageError } from '@tutti/base';
import { historyOf, historyRecommender, type HistoryRecommender, type TrainingRows } from './recommender.ts';
import { invertSymmetricInPlace } from './symmetric-inverse.ts';

/** Items up to which EASE is fitted: at 4,096 the matrix takes 134 MB, and its inverse some 20 s of one core. */
export const MOST_EASE_ITEMS = 4_096;

/** Settings of EASE. */
export interface EaseOptions {
  /** λ > 0, in people. Default {@link easeRegularization}. */
  readonly regularization?: number;
  /** Called many times with the share that is done; awaited, so it may let others have their turn, or throw to stop. */
  readonly onProgress?: (share: number) => void | Promise<void>;
}

/**
 * λ where none is given, from the data: people / 6, within 10 and 2,000. It gives 1,007 on MovieLens 1M, where 1,000 was found best
 * on validation, and 157 on MovieLens 100K.
 */
export function easeRegularization({ users }: Pick<TrainingRows, 'users'>): number {
  return Math.min(2_000, Math.max(10, users / 6));
}

/**
 * EASE, the linear autoencoder in closed form: the score of item j for somebody who touched the items of h is Σ_{i ∈ h} B_ij with
 * B = I − P·diag(P)⁻¹, that is B_ij = −P_ij / P_jj off the diagonal and 0 on it, where P = (XᵀX + λI)⁻¹ and X is the matrix of who
 * touched what. B minimises |X − XB|² + λ|B|² among the matrices with an empty diagonal.
 *
 * Fitting takes items³/2 multiplications and 12 bytes for each pair of items.
 *
 * @throws {UsageError} if there are more than {@link MOST_EASE_ITEMS} items, or λ is not positive and finite.
 * @see Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019, equations 5 to 8.
 */
export async function ease(train: TrainingRows, options: EaseOptions = {}): Promise<HistoryRecommender> {
  const { items } = train;
  const { regularization = easeRegularization(train), onProgress } = options;
  if (items > MOST_EASE_ITEMS)
    throw new UsageError(`EASE inverts a matrix of items × items: ${items} are more than ${MOST_EASE_ITEMS}`);
  if (!(regularization > 0 && regularization < Infinity))
    throw new UsageError(`regularization is ${regularization}; a positive number is needed`);
  const inverse = itemGram(train);
  for (let item = 0; item < items; item++) {
    inverse[item * items + item] = (inverse[item * items + item] as number) + regularization;
  }
  await invertSymmetricInPlace(inverse, items, onProgress);
  const weights = itemWeights(inverse, items);
  return historyRecommender(train, (history) => {
    const scores = new Float32Array(items);
    for (const item of history) {
      const row = weights.subarray(item * items, (item + 1) * items);
      for (let other = 0; other < items; other++) {
        scores[other] = (scores[other] as number) + (row[other] as number);
      }
    }
    return scores;
  });
}

/** Lower triangle of XᵀX: how many people touched both items. */
function itemGram(train: TrainingRows): Float64Array {
  const { items } = train;
  const gram = new Float64Array(items * items);
  for (let user = 0; user < train.users; user++) {
    const row = historyOf(train, user).slice().sort();
    for (let n = 0; n < row.length; n++) {
      const start = (row[n] as number) * items;
      for (let m = 0; m <= n; m++) {
        const at = start + (row[m] as number);
        gram[at] = (gram[at] as number) + 1;
      }
    }
  }
  return gram;
}

/** B from P, in float32. */
function itemWeights(inverse: Float64Array, items: number): Float32Array {
  const weights = new Float32Array(items * items);
  const scale = Float64Array.from(
    { length: items },
    (_, item) => -1 / (inverse[item * items + item] as number),
  );
  for (let i = 0; i < items; i++) {
    for (let j = 0; j < items; j++) {
      if (i !== j) weights[i * items + j] = (inverse[i * items + j] as number) * (scale[j] as number);
    }
  }
  return weights;
}
