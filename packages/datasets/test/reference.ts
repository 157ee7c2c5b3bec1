/**
 * Recommenders and a ranking, small and plain, to prove that the generator's data can be learned. Rooms of the ground
 * floor do not import each other, so these are not those of `@tutti/evaluation`.
 */
import { seededRandom } from '@tutti/base';
import type { Interactions, SplitDataset } from '../src/types.ts';

/** Scores of every item for a person. */
export type Scores = (user: number) => Float64Array;

const rowOf = ({ offsets, values }: Interactions, user: number): Int32Array =>
  values.subarray(offsets[user], offsets[user + 1]);

/** HR@10 and NDCG@10 among the candidates; ties count against the positive. */
export function quality(data: SplitDataset, scores: Scores): { hr: number; ndcg: number } {
  let [hits, gain, people] = [0, 0, 0];
  data.test.positives.forEach((positive, user) => {
    if (positive < 0) return;
    const all = scores(user);
    const own = all[positive] as number;
    const rank = data.test.negatives[user]!.filter((item) => item !== positive && all[item]! >= own).length;
    people++;
    if (rank < 10) hits++;
    if (rank < 10) gain += Math.LN2 / Math.log(rank + 2);
  });
  return { hr: hits / people, ndcg: gain / people };
}

/** How many people touched an item. */
export function popularity({ train, items }: SplitDataset): Scores {
  const counts = new Float64Array(items);
  for (const item of train.values) counts[item]!++;
  return () => counts;
}

/** Sum of cosines to what the person touched, all neighbours. */
export function itemKnn({ train, users, items }: SplitDataset, shrink = 10): Scores {
  const counts = new Float64Array(items);
  const together = new Float64Array(items * items);
  for (let user = 0; user < users; user++) {
    for (const a of rowOf(train, user)) {
      counts[a]!++;
      for (const b of rowOf(train, user)) if (a !== b) together[a * items + b]!++;
    }
  }
  return (user) => {
    const scores = new Float64Array(items);
    for (const seen of rowOf(train, user)) {
      for (let item = 0; item < items; item++) {
        scores[item]! += together[seen * items + item]! / (Math.sqrt(counts[item]! * counts[seen]!) + shrink);
      }
    }
    return scores;
  };
}

/**
 * Implicit matrix factorisation by alternating least squares, in one place.
 * Loss: Σ_observed (w·h − 1)² + a0·Σ_all (w·h)² + λ(n + a0·m)|w|².
 * @see Rendle et al., Revisiting the Performance of iALS on Item Recommendation Benchmarks, RecSys 2022.
 */
export function implicitFactors(data: SplitDataset, dimension = 16, sweeps = 12): Scores {
  const { users, items, train } = data;
  const person = train.values.length / users;
  const a0 = (10 * person) / items;
  const lambda = Math.min(0.03, 1 / person);
  const random = seededRandom('reference');
  const start = (rows: number): Float64Array =>
    Float64Array.from({ length: rows * dimension }, () => (0.1 * random.normal()) / Math.sqrt(dimension));
  const [w, h] = [start(users), start(items)];
  const byUser = Array.from({ length: users }, (_, user) => Array.from(rowOf(train, user)));
  const byItem = Array.from({ length: items }, () => [] as number[]);
  byUser.forEach((row, user) => row.forEach((item) => byItem[item]!.push(user)));
  for (let sweep = 0; sweep < sweeps; sweep++) {
    solveSide(w, h, byUser, items);
    solveSide(h, w, byItem, users);
  }
  solveSide(w, h, byUser, items);
  return (user) =>
    Float64Array.from({ length: items }, (_, item) => {
      let sum = 0;
      for (let f = 0; f < dimension; f++) sum += w[user * dimension + f]! * h[item * dimension + f]!;
      return sum;
    });

  function solveSide(to: Float64Array, from: Float64Array, rows: number[][], others: number): void {
    const gram = new Float64Array(dimension * dimension);
    for (let other = 0; other < others; other++) addOuter(gram, from, other, a0);
    rows.forEach((row, index) => {
      const matrix = gram.slice();
      const right = new Float64Array(dimension);
      for (const other of row) {
        addOuter(matrix, from, other, 1);
        for (let f = 0; f < dimension; f++) right[f]! += from[other * dimension + f]!;
      }
      for (let f = 0; f < dimension; f++) matrix[f * dimension + f]! += lambda * (row.length + a0 * others);
      to.set(solve(matrix, right), index * dimension);
    });
  }

  function addOuter(matrix: Float64Array, from: Float64Array, row: number, weight: number): void {
    for (let f = 0; f < dimension; f++) {
      const left = weight * from[row * dimension + f]!;
      for (let g = 0; g < dimension; g++) matrix[f * dimension + g]! += left * from[row * dimension + g]!;
    }
  }
}

/** Gauss elimination of a symmetric positive definite system, in place. */
function solve(matrix: Float64Array, right: Float64Array): Float64Array {
  const n = right.length;
  for (let pivot = 0; pivot < n; pivot++) {
    for (let row = pivot + 1; row < n; row++) {
      const factor = matrix[row * n + pivot]! / matrix[pivot * n + pivot]!;
      for (let column = pivot; column < n; column++)
        matrix[row * n + column]! -= factor * matrix[pivot * n + column]!;
      right[row]! -= factor * right[pivot]!;
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let column = row + 1; column < n; column++)
      right[row]! -= matrix[row * n + column]! * right[column]!;
    right[row]! /= matrix[row * n + row]!;
  }
  return right;
}
