import type { SeededRandom } from '@tutti/base';
import { drawExamples, drawPairs, ratedExamples } from './examples.ts';
import type { LocalData, Tensorflow, TowerConfig } from './types.ts';

type Tensor2D = ReturnType<Tensorflow['tensor2d']>;
type Scalar = ReturnType<Tensorflow['scalar']>;

/** One epoch of a person's examples: which items, and what each is to be. */
export interface Epoch {
  readonly items: Int32Array;
  /** Label or rating of each item; with BPR of no use. */
  readonly targets: Float32Array;
}

/** How a loss sees a person's data. */
export interface TowerObjective {
  /** Rows that make one term of the loss; a batch holds whole terms. */
  readonly rowsPerTerm: number;
  /** Examples of one epoch, in a random order. */
  draw(data: LocalData, random: SeededRandom): Epoch;
  /** Sum of the terms of a batch. */
  sum(tf: Tensorflow, z: Tensor2D, targets: Tensor2D): Scalar;
}

/** What a family of this configuration makes small, over a catalogue of `items`. */
export function objectiveOf({ loss = 'bce', negatives }: TowerConfig, items: number): TowerObjective {
  switch (loss) {
    case 'bce':
      return {
        rowsPerTerm: 1,
        draw({ positives }, random) {
          const { items: drawn, labels } = drawExamples(positives, items, negatives, random);
          return { items: drawn, targets: labels };
        },
        sum: crossEntropy,
      };
    case 'bpr':
      return {
        rowsPerTerm: 2,
        draw({ positives }, random) {
          const drawn = drawPairs(positives, items, negatives, random);
          return { items: drawn, targets: new Float32Array(drawn.length) };
        },
        sum: pairwise,
      };
    case 'mse':
      return {
        rowsPerTerm: 1,
        draw: (data, random) => ratedExamples(data, random),
        sum: (tf, z, targets) => tf.sum(tf.square(tf.sub(z, targets))),
      };
  }
}

/** Σ log(1 + exp(z)) − y·z, without overflow. */
function crossEntropy(tf: Tensorflow, z: Tensor2D, labels: Tensor2D): Scalar {
  return tf.sum(tf.sub(softplus(tf, z), tf.mul(labels, z)));
}

/**
 * Σ −log σ(z_positive − z_negative); rows stand positive, negative, positive, …
 * @see Rendle et al., BPR: Bayesian personalized ranking from implicit feedback, UAI 2009.
 */
function pairwise(tf: Tensorflow, z: Tensor2D): Scalar {
  const pairs = tf.reshape(z, [-1, 2]);
  return tf.sum(softplus(tf, tf.matMul(pairs, tf.tensor2d([-1, 1], [2, 1]))));
}

const softplus = (tf: Tensorflow, z: Tensor2D): Tensor2D =>
  tf.add(tf.relu(z), tf.log1p(tf.exp(tf.neg(tf.abs(z)))));
