import type { TowerShape } from './tower-shape.ts';
import type { Activation, Tensorflow } from './types.ts';

type Tensor = ReturnType<Tensorflow['tensor']>;
type Tensor2D = ReturnType<Tensorflow['tensor2d']>;

/** How hidden layers compute. */
export interface Layers {
  readonly activation?: Activation;
  /** B × units for each layer: what each unit is multiplied by, in training with dropout. */
  readonly masks?: readonly Tensor2D[];
}

/** Logits (B × 1) of rows of items (B × d) for one person (1 × d); `weights`: layers, then the heads of the towers there are. */
export function towerLogits(
  tf: Tensorflow,
  shape: TowerShape,
  { person, rows, biases }: { person: Tensor2D; rows: Tensor2D; biases: Tensor2D },
  weights: readonly Tensor[],
  layers: Layers,
): Tensor2D {
  const rest = [...weights];
  const block = (tensor: Tensor2D, from: number, size: number): Tensor2D =>
    from === 0 && size === shape.width ? tensor : tf.slice(tensor, [0, from], [-1, size]);
  const { deep, product } = shape;
  let terms: Tensor2D = biases;
  if (deep !== undefined) {
    const [p, q] = [block(person, deep.from, deep.size), block(rows, deep.from, deep.size)];
    const inputs = [
      tf.mul<Tensor2D>(tf.onesLike(q), p),
      q,
      ...(deep.products ? [tf.mul<Tensor2D>(q, p)] : []),
    ];
    let hidden = tf.concat2d(inputs, 1);
    for (let layer = 0; layer < deep.hidden.length; layer++) {
      const [kernel, bias] = [rest.shift() as Tensor2D, rest.shift() as Tensor];
      hidden = activated(tf, tf.add(tf.matMul(hidden, kernel), bias), layers.activation);
      const mask = layers.masks?.[layer];
      if (mask !== undefined) hidden = tf.mul(hidden, mask);
    }
    const head = product > 0 ? rest.splice(1, 1)[0] : rest.shift();
    terms = tf.add(terms, tf.matMul(hidden, head as Tensor2D));
  }
  if (product > 0) {
    const both = tf.mul<Tensor2D>(block(rows, 0, product), block(person, 0, product));
    terms = tf.add(terms, tf.matMul(both, rest.shift() as Tensor2D));
  }
  return tf.add(terms, rest[0] as Tensor);
}

/** Of what is differentiated here every backend has the kernels. */
function activated(tf: Tensorflow, sums: Tensor2D, activation: Activation = 'relu'): Tensor2D {
  switch (activation) {
    case 'relu':
      return tf.relu(sums);
    case 'tanh':
      return tf.tanh(sums);
    case 'sigmoid':
      return tf.sigmoid(sums);
    case 'elu':
      return tf.elu(sums);
    case 'swish':
      return tf.mul(sums, tf.sigmoid(sums));
  }
}
