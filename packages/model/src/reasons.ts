import { InternalError, keepLocal, UsageError, type LocalOnly, type SeededRandom } from '@tutti/base';
import { isFactorization } from './is-factorization.ts';
import { solvePositiveDefiniteInPlace } from './linear-algebra.ts';
import type { LoadedModel, Model } from './types.ts';

/** What reasons are asked for. */
export interface ReasonsOptions {
  readonly model: Model;
  readonly loaded: LoadedModel;
  /** The person's vector, fitted to `positives` and this checkpoint. */
  readonly local: LocalOnly<Float32Array>;
  readonly positives: LocalOnly<Int32Array>;
  /** Items whose scores are explained. */
  readonly items: Int32Array;
  /** Which items stand for all that the person did not touch, where there are many. */
  readonly random: SeededRandom;
}

/** Items that stand for those that the person did not touch, at most: all of a catalogue of this size. */
const MOST_UNTOUCHED = 1_024;

/** Step of a difference over the largest number of the person's vector. */
const STEP = 1 / 64;

/** Keeps the system regular where nothing regularises: part of the mean of its diagonal. */
const RIDGE = 1e-6;

/**
 * How much each of a person's items adds to the scores of `items`. Row by row, a weight for each of `positives`; the larger, the more
 * that item speaks for it, and below zero it speaks against it.
 *
 * The person's vector w is where the loss of their items is least. Had item i weighed a little more, w would have moved by H⁻¹·g_i·r_i, and
 * the score of j by g_jᵀ·H⁻¹·g_i·r_i, with g the gradient of a score by w, r_i what item i still pulls, and H the curvature of the loss:
 * the influence function of Koh & Liang 2017. For a matrix factorisation, whose scores are linear in w, this is the decomposition of Hu et al. 2008 (§5), and the
 * weights of an item add up to its score. Gradients are taken by differences of {@link LoadedModel.score}, so that any family can be asked.
 *
 * It costs 2·d scores of all items concerned; nothing leaves the device.
 *
 * @throws {UsageError} for an app's own model, whose person is more than a vector.
 */
export async function reasonsFor(options: ReasonsOptions): Promise<LocalOnly<Float32Array>> {
  const { model, loaded, local, positives, items, random } = options;
  if (model.config.family === 'own')
    throw new UsageError('explain: an own model gives no reasons; ask without');
  const untouched = representatives(model.items, random);
  const asked = Int32Array.from([...positives, ...items, ...untouched]);
  const gradients = await gradientsOf(loaded, local, asked);
  const curvature = await curvatureOf(options, asked);
  const d = local.length;
  const hessian = new Float64Array(d * d);
  const own = positives.length;
  for (let n = 0; n < own; n++) addSquare(hessian, gradients, n, curvature.touched(n));
  const scale = model.items / Math.max(1, untouched.length);
  for (let n = own + items.length; n < asked.length; n++)
    addSquare(hessian, gradients, n, curvature.untouched(n) * scale);
  addRidge(hessian, d, curvature.ridge);
  const weights = new Float32Array(items.length * own);
  for (let j = 0; j < items.length; j++) {
    const influence = gradients.slice((own + j) * d, (own + j + 1) * d);
    solvePositiveDefiniteInPlace(hessian.slice(), influence);
    for (let i = 0; i < own; i++) {
      let product = 0;
      for (let k = 0; k < d; k++) product += (influence[k] as number) * (gradients[i * d + k] as number);
      weights[j * own + i] = product * curvature.pull(i);
    }
  }
  return keepLocal(weights);
}

/** All items of a small catalogue, a sample of a large one. */
function representatives(items: number, random: SeededRandom): Int32Array {
  if (items <= MOST_UNTOUCHED) return Int32Array.from({ length: items }, (_, item) => item);
  return Int32Array.from({ length: MOST_UNTOUCHED }, () => random.int(items));
}

/** For each of `items`, the gradient of its score by the person's vector: rows of d. */
async function gradientsOf(
  loaded: LoadedModel,
  local: LocalOnly<Float32Array>,
  items: Int32Array,
): Promise<Float64Array> {
  const d = local.length;
  const step = STEP * (local.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1);
  const gradients = new Float64Array(items.length * d);
  for (let k = 0; k < d; k++) {
    const [up, down] = [local.slice(), local.slice()];
    up[k] = (up[k] as number) + step;
    down[k] = (down[k] as number) - step;
    // What float32 made of the step.
    const width = (up[k] as number) - (down[k] as number);
    const above = await loaded.score(keepLocal(up), items);
    const below = await loaded.score(keepLocal(down), items);
    for (let n = 0; n < items.length; n++)
      gradients[n * d + k] = ((above[n] as number) - (below[n] as number)) / width;
  }
  return gradients;
}

/** Second derivatives of the loss by scores, and first ones: what each item that was asked about holds and pulls. */
interface Curvature {
  touched(n: number): number;
  untouched(n: number): number;
  pull(n: number): number;
  readonly ridge: number;
}

async function curvatureOf(
  { model: { config, items }, loaded, local, positives }: ReasonsOptions,
  asked: Int32Array,
): Promise<Curvature> {
  if (isFactorization(config)) {
    const { unobservedWeight: a0, regularization } = config;
    const ridge = regularization * (positives.length + a0 * items);
    return { touched: () => 1, untouched: () => a0, pull: () => 1, ridge };
  }
  if (config.family === 'own') throw new InternalError('an own model has no curvature that is known');
  // Cross-entropy on the positives, and on negatives that are drawn from everything else.
  const scores = await loaded.score(local, asked);
  const chance = (n: number): number => 1 / (1 + Math.exp(-(scores[n] as number)));
  const negatives = (positives.length * config.negatives) / items;
  return {
    touched: (n) => chance(n) * (1 - chance(n)),
    untouched: (n) => negatives * chance(n) * (1 - chance(n)),
    pull: (n) => 1 - chance(n),
    ridge: config.l2 * positives.length * (1 + config.negatives),
  };
}

function addSquare(matrix: Float64Array, rows: Float64Array, n: number, factor: number): void {
  const d = Math.sqrt(matrix.length);
  for (let i = 0; i < d; i++) {
    const value = factor * (rows[n * d + i] as number);
    for (let j = 0; j <= i; j++)
      matrix[i * d + j] = (matrix[i * d + j] as number) + value * (rows[n * d + j] as number);
  }
}

function addRidge(matrix: Float64Array, d: number, ridge: number): void {
  let trace = 0;
  for (let i = 0; i < d; i++) trace += matrix[i * d + i] as number;
  const added = Math.max(ridge, (RIDGE * trace) / d, Number.MIN_VALUE);
  for (let i = 0; i < d; i++) matrix[i * d + i] = (matrix[i * d + i] as number) + added;
}
