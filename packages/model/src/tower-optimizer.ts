import type { Tensorflow, TowerConfig } from './types.ts';

type Tensor = ReturnType<Tensorflow['tensor']>;

/** Constants of Adam (Kingma & Ba 2015). */
const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** Weights in training: rows and biases of the touched items first, then the layers. Whoever makes it disposes of it. */
export interface TowerOptimizer {
  readonly weights: readonly Tensor[];
  /** One step down; `terms` of the loss are in the gradients, which are sums. They are not disposed of. */
  step(gradients: readonly Tensor[], terms: number): void;
  /** The weights as they are now become those to go back to. */
  keep(): void;
  /** Back to the weights that were kept last. */
  restore(): void;
  dispose(): void;
}

/**
 * Gradient steps from `start`, which stays as it is. Rows are touched by few examples of a batch and step by its sum; layers are touched
 * by all and step by its mean. Moments of Adam are those of touched rows and of layers alone, and end with the round.
 */
export function towerOptimizer(
  tf: Tensorflow,
  config: Pick<TowerConfig, 'optimizer' | 'learningRate' | 'tableLearningRate' | 'proximal'>,
  start: readonly Tensor[],
): TowerOptimizer {
  const adam = config.optimizer === 'adam';
  let weights = start.map((tensor) => tf.clone(tensor));
  let kept = start.map((tensor) => tf.clone(tensor));
  let moments = adam ? start.map((tensor) => [tf.zerosLike(tensor), tf.zerosLike(tensor)] as const) : [];
  let steps = 0;

  function plain(gradients: readonly Tensor[], terms: number): Tensor[] {
    return gradients.map((gradient, i) =>
      tf.mul(gradient, i < 2 ? config.tableLearningRate : config.learningRate / terms),
    );
  }

  function adaptive(gradients: readonly Tensor[], terms: number): Tensor[] {
    const next = gradients.map((sum, i) => {
      const gradient = i < 2 ? sum : tf.div(sum, terms);
      const [first, second] = moments[i] as readonly [Tensor, Tensor];
      return [
        tf.add(tf.mul(first, BETA1), tf.mul(gradient, 1 - BETA1)),
        tf.add(tf.mul(second, BETA2), tf.mul(tf.square(gradient), 1 - BETA2)),
      ] as const;
    });
    tf.dispose(moments.flat());
    moments = next.map(([first, second]) => [tf.keep(first), tf.keep(second)] as const);
    return next.map(([first, second], i) => {
      const rate = i < 2 ? config.tableLearningRate : config.learningRate;
      const mean = tf.div(first, 1 - BETA1 ** steps);
      const spread = tf.sqrt(tf.div(second, 1 - BETA2 ** steps));
      return tf.mul(tf.div(mean, tf.add(spread, EPSILON)), rate);
    });
  }

  return {
    get weights() {
      return weights;
    },
    step(gradients, terms) {
      steps++;
      const before = weights;
      weights = tf.tidy(() => {
        const moves = adam ? adaptive(gradients, terms) : plain(gradients, terms);
        return before.map((weight, i) => {
          const pull = tf.mul(tf.sub(weight, start[i] as Tensor), config.proximal * config.learningRate);
          return tf.sub(weight, tf.add(moves[i] as Tensor, pull));
        });
      });
      tf.dispose([...before]);
    },
    keep() {
      tf.dispose(kept);
      kept = weights.map((tensor) => tf.clone(tensor));
    },
    restore() {
      tf.dispose(weights);
      weights = kept.map((tensor) => tf.clone(tensor));
    },
    dispose() {
      tf.dispose([...weights, ...kept, ...moments.flat()]);
    },
  };
}
