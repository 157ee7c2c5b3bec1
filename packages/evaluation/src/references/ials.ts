import { UsageError, type SeededRandom } from '@tutti/base';
import { historyRecommender, type HistoryRecommender, type TrainingRows } from './recommender.ts';
import { peopleByItem } from './rows.ts';
import { solvePositiveDefiniteInPlace } from './solve.ts';

/** Settings of iALS. */
export interface IalsOptions {
  /** First item and person vectors. */
  readonly random: SeededRandom;
  /** d, at least 1; default 128. */
  readonly dimension?: number;
  /** a0 ≥ 0: weight of the pull of every score towards 0. Default {@link ialsDefaults}. */
  readonly unobservedWeight?: number;
  /** λ > 0. Default {@link ialsDefaults}. */
  readonly regularization?: number;
  /** Passes over people and items; default 16. */
  readonly epochs?: number;
  /** Coordinates of a vector that are solved for at once; default 16. With `dimension` or more each vector is solved exactly. */
  readonly block?: number;
  /** Called after each half pass with the share that is done; awaited, so it may let others have their turn, or throw to stop. */
  readonly onProgress?: (share: number) => void | Promise<void>;
}

/**
 * a0 = min(1, 10·n̄/items) and λ = min(1/n̄, max(.03, .35/n̄^.75)), with n̄ interactions a person: what the federated family takes as well.
 * @see recommendation-quality, §3: within 95 to 100 % of tuned figures on six of seven data sets.
 */
export function ialsDefaults({ users, items, values }: TrainingRows): {
  readonly unobservedWeight: number;
  readonly regularization: number;
} {
  const meanHistory = Math.max(1, values.length / Math.max(1, users));
  return {
    unobservedWeight: Math.min(1, (10 * meanHistory) / Math.max(1, items)),
    regularization: Math.min(1 / meanHistory, Math.max(0.03, 0.35 * meanHistory ** -0.75)),
  };
}

/**
 * iALS, implicit matrix factorisation by alternating least squares: the score of item i for person u is w_u·h_i, where w and h
 * minimise
 *
 *   Σ_observed (w_u·h_i − 1)² + a0·Σ_all (w_u·h_i)² + λ·Σ_u (|I_u| + a0·items)·|w_u|² + λ·Σ_i (|U_i| + a0·people)·|h_i|²
 *
 * Vectors are solved for a block of coordinates at a time, the rest held. A person is scored by the exact solution for
 * their items given h, so that newcomers need no training.
 *
 * A pass takes interactions × d × (block/2 + 4) multiplications a side.
 *
 * @throws {UsageError} if an option is out of its range.
 * @see Hu, Koren & Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008; Rendle et al., Revisiting the
 *   Performance of iALS on Item Recommendation Benchmarks, RecSys 2022 (λ by frequency); Rendle et al., iALS++: Speeding up
 *   Matrix Factorization with Subspace Optimization, 2021 (blocks).
 */
export async function ials(train: TrainingRows, options: IalsOptions): Promise<HistoryRecommender> {
  const { dimension = 128, epochs = 16, random, onProgress } = options;
  const problem = { ...ialsDefaults(train), ...definedWeights(options), dimension };
  const block = Math.min(dimension, options.block ?? 16);
  checkOptions({ ...problem, block, epochs });
  const spread = 0.1 / Math.sqrt(dimension);
  const people: Side = {
    rows: train,
    table: normalTable(train.users, dimension, spread, random.fork('people')),
  };
  const catalogue: Side = {
    rows: peopleByItem(train),
    table: normalTable(train.items, dimension, spread, random.fork('items')),
  };
  for (let half = 0; half < 2 * epochs; half++) {
    const [own, other] = half % 2 === 0 ? [people, catalogue] : [catalogue, people];
    solveSideInPlace(own, other.table, problem, block);
    await onProgress?.((half + 1) / (2 * epochs));
  }
  return historyRecommender(train, foldIn(catalogue.table, train.items, problem));
}

/** The numbers of the loss. */
interface Problem {
  readonly dimension: number;
  readonly unobservedWeight: number;
  readonly regularization: number;
}

/** People or items: what each touched of the other side, and a vector for each. */
interface Side {
  readonly rows: { readonly offsets: Int32Array; readonly values: Int32Array };
  readonly table: Float64Array;
}

function definedWeights(options: IalsOptions): Partial<Problem> {
  const { unobservedWeight, regularization } = options;
  return {
    ...(unobservedWeight === undefined ? {} : { unobservedWeight }),
    ...(regularization === undefined ? {} : { regularization }),
  };
}

function checkOptions(options: Problem & { readonly block: number; readonly epochs: number }): void {
  for (const name of ['dimension', 'block', 'epochs'] as const) {
    const value = options[name];
    if (!Number.isInteger(value) || value < 1)
      throw new UsageError(`${name} is ${value}; a whole number of at least 1 is needed`);
  }
  if (!(options.unobservedWeight >= 0 && options.unobservedWeight < Infinity))
    throw new UsageError(`unobservedWeight is ${options.unobservedWeight}; a number of at least 0 is needed`);
  if (!(options.regularization > 0 && options.regularization < Infinity))
    throw new UsageError(`regularization is ${options.regularization}; a positive number is needed`);
}

function normalTable(rows: number, dimension: number, spread: number, random: SeededRandom): Float64Array {
  return Float64Array.from({ length: rows * dimension }, () => spread * random.normal());
}

/** HᵀH, both triangles. */
function gramOf(table: Float64Array, dimension: number): Float64Array {
  const gram = new Float64Array(dimension * dimension);
  const places = Int32Array.from({ length: table.length / dimension }, (_, row) => row * dimension);
  addOuterProductsInPlace(gram, table, places, dimension);
  return mirrorInPlace(gram, dimension);
}

/**
 * Adds Σ h·hᵀ to the lower triangle of `sum`, h being the `width` numbers of `table` from each of `places`. Four at a time: each entry
 * of `sum` is then read and written once for four products, which is twice as fast.
 */
function addOuterProductsInPlace(
  sum: Float64Array,
  table: Float64Array,
  places: Int32Array,
  width: number,
): void {
  const fours = places.length - (places.length % 4);
  for (let n = 0; n < fours; n += 4) {
    const four = [places[n], places[n + 1], places[n + 2], places[n + 3]] as unknown as Four;
    addFourInPlace(sum, table, four, width);
  }
  for (const at of places.subarray(fours)) addOneInPlace(sum, table, at, width);
}

/** Places of four vectors. */
type Four = readonly [number, number, number, number];

function addFourInPlace(sum: Float64Array, table: Float64Array, [a, b, c, d]: Four, width: number): void {
  for (let i = 0; i < width; i++) {
    const row = i * width;
    const ai = table[a + i] as number;
    const bi = table[b + i] as number;
    const ci = table[c + i] as number;
    const di = table[d + i] as number;
    for (let j = 0; j <= i; j++) {
      sum[row + j] =
        (sum[row + j] as number) +
        (ai * (table[a + j] as number) + bi * (table[b + j] as number)) +
        (ci * (table[c + j] as number) + di * (table[d + j] as number));
    }
  }
}

function addOneInPlace(sum: Float64Array, table: Float64Array, at: number, width: number): void {
  for (let i = 0; i < width; i++) {
    const value = table[at + i] as number;
    const row = i * width;
    for (let j = 0; j <= i; j++) sum[row + j] = (sum[row + j] as number) + value * (table[at + j] as number);
  }
}

function mirrorInPlace(square: Float64Array, side: number): Float64Array {
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < i; j++) square[j * side + i] = square[i * side + j] as number;
  }
  return square;
}

/** One pass over the vectors of a side, the other held. */
function solveSideInPlace({ rows, table }: Side, other: Float64Array, problem: Problem, block: number): void {
  const { dimension, unobservedWeight } = problem;
  const pull = gramOf(other, dimension).map((value) => unobservedWeight * value);
  const count = table.length / dimension;
  const ridgeOf = ridges(problem, other.length / dimension);
  for (let row = 0; row < count; row++) {
    const touched = rows.values.subarray(rows.offsets[row], rows.offsets[row + 1]);
    const own = table.subarray(row * dimension, (row + 1) * dimension);
    solveRowInPlace({ own, touched, other, pull, ridge: ridgeOf(touched.length) }, block);
  }
}

/** λ·(touched + a0·all), with a crumb so that the vector of somebody who touched nothing is defined. */
function ridges({ regularization, unobservedWeight }: Problem, all: number): (touched: number) => number {
  return (touched) => regularization * (touched + unobservedWeight * all) + 1e-9;
}

/** What decides one vector. */
interface RowProblem {
  readonly own: Float64Array;
  /** Rows of `other` that were observed. */
  readonly touched: Int32Array;
  readonly other: Float64Array;
  /** a0·HᵀH. */
  readonly pull: Float64Array;
  readonly ridge: number;
}

/** Newton steps on one block of coordinates after the other; exact where one block is all. */
function solveRowInPlace({ own, touched, other, pull, ridge }: RowProblem, block: number): void {
  const d = own.length;
  const residuals = Float64Array.from(touched, (row) => dot(own, other, row * d) - 1);
  for (let start = 0; start < d; start += block) {
    const width = Math.min(block, d - start);
    const step = new Float64Array(width);
    const curvature = new Float64Array(width * width);
    for (let i = 0; i < width; i++) {
      const row = (start + i) * d;
      step[i] = dot(own, pull, row) + ridge * (own[start + i] as number);
      for (let j = 0; j <= i; j++) curvature[i * width + j] = pull[row + start + j] as number;
      curvature[i * width + i] = (curvature[i * width + i] as number) + ridge;
    }
    const places = touched.map((row) => row * d + start);
    addOuterProductsInPlace(curvature, other, places, width);
    for (let n = 0; n < touched.length; n++) {
      const at = places[n] as number;
      const residual = residuals[n] as number;
      for (let i = 0; i < width; i++) step[i] = (step[i] as number) + residual * (other[at + i] as number);
    }
    solvePositiveDefiniteInPlace(curvature, step);
    for (let i = 0; i < width; i++) own[start + i] = (own[start + i] as number) - (step[i] as number);
    for (let n = 0; n < touched.length; n++) {
      residuals[n] = (residuals[n] as number) - dot(step, other, places[n] as number);
    }
  }
}

/** Σ a_i·b_(at+i). */
function dot(a: Float64Array, b: Float64Array, at: number): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[at + i] as number);
  return sum;
}

/** Scores by the vector that the item table gives somebody with these items. */
function foldIn(table: Float64Array, items: number, problem: Problem): (history: Int32Array) => Float32Array {
  const { dimension, unobservedWeight } = problem;
  const pull = gramOf(table, dimension).map((value) => unobservedWeight * value);
  const ridgeOf = ridges(problem, items);
  return (history) => {
    const own = new Float64Array(dimension);
    const ridge = ridgeOf(history.length);
    solveRowInPlace({ own, touched: history, other: table, pull, ridge }, dimension);
    return Float32Array.from({ length: items }, (_, item) => dot(own, table, item * dimension));
  };
}
