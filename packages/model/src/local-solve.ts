import { solvePositiveDefiniteInPlace } from './linear-algebra.ts';
import type { LocalSolve, Tensorflow, WholeTable } from './types.ts';

type Matrix = ReturnType<Tensorflow['tensor2d']>;

/** Keeps the system regular where somebody has no interactions and nothing regularises. */
const SMALLEST_RIDGE = 1e-9;

/**
 * Opens the closed form of a person's vector over an item table H:
 * w = (HᵤᵀHᵤ + a0·HᵀH + λ(|I_u| + a0·I)·1)⁻¹ · Σ h_i over the person's items.
 *
 * Of a slice, H is the slice's rows, while a0·HᵀH and λ·a0·I are those of the whole catalogue: what a person did not touch
 * pulls their vector as if every row were here. With `targets` it is the vector that comes nearest to them instead: Σ t_i·h_i on the right.
 *
 * @see Hu, Koren, Volinsky, Collaborative filtering for implicit feedback datasets, ICDM 2008.
 */
export async function openLocalSolve(
  tf: Tensorflow,
  table: Matrix,
  { unobservedWeight: a0, regularization }: LocalSolve,
  whole: WholeTable,
): Promise<(positives: Int32Array, targets?: Float32Array) => Promise<Float32Array>> {
  const gram = Float64Array.from(whole.gram ?? (await gramOf(tf, table)));
  const d = table.shape[1];
  return async (positives, targets) => {
    const right = new Float64Array(d);
    const left = Float64Array.from(gram, (value) => a0 * value);
    if (positives.length > 0) {
      const { own, sum } = tf.tidy(() => {
        const rows = tf.gather(table, tf.tensor1d(positives, 'int32'));
        const wished = targets === undefined ? rows : tf.mul(rows, tf.tensor2d(targets, [targets.length, 1]));
        return { own: tf.matMul(tf.transpose(rows), rows), sum: tf.sum(wished, 0) };
      });
      const [products, sums] = await Promise.all([own.data(), sum.data()]);
      tf.dispose([own, sum]);
      for (let i = 0; i < left.length; i++) left[i] = (left[i] as number) + (products[i] as number);
      for (let i = 0; i < d; i++) right[i] = sums[i] as number;
    }
    const ridge = regularization * (positives.length + a0 * whole.items) + SMALLEST_RIDGE;
    for (let i = 0; i < d; i++) left[i * d + i] = (left[i * d + i] as number) + ridge;
    solvePositiveDefiniteInPlace(left, right);
    return Float32Array.from(right);
  };
}

async function gramOf(tf: Tensorflow, table: Matrix): Promise<Float32Array> {
  const product = tf.tidy(() => tf.matMul(tf.transpose(table), table));
  const gram = (await product.data()) as Float32Array;
  product.dispose();
  return gram;
}
