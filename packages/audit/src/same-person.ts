import { addOuterInPlace, eigenSymmetric, product, spectral, times, trace } from './matrix.ts';

/**
 * The likelihood ratio for "two rows of one person" against "rows of two persons", where a row is a person's own mean, normal
 * over persons, and what differs from row to row, normal too, and noise of a known variance. What no linear attack beats where
 * that is how rows are; it is learned from people whom the attacker may ask to take part.
 *
 * @see Prince & Elder, Probabilistic Linear Discriminant Analysis for Inferences About Identity, ICCV 2007.
 */
export interface SamePersonTest {
  /** Coordinates in which a pair is independent. */
  project(row: ArrayLike<number>): Float64Array;
  /** ln of the likelihood ratio of two projected rows. */
  compare(a: Float64Array, b: Float64Array): number;
}

/** Rows of one person, as wide as the model's vectors. */
export type RowsOfPerson = readonly ArrayLike<number>[];

/** Keeps a covariance from being singular: a share of its mean. */
const FLOOR = 1e-9;

/**
 * Learns the test from `people`, whose rows carry no noise; `noiseVariance` is that of each coordinate of the rows to be compared.
 * People without two rows say nothing of how a person's rows differ, and are left out.
 */
export function learnSamePerson(
  people: readonly RowsOfPerson[],
  width: number,
  noiseVariance: number,
): SamePersonTest {
  const { mean, within, between } = covariances(
    people.filter((rows) => rows.length >= 2),
    width,
  );
  const floor = (FLOOR * trace(within, width)) / width + FLOOR * (trace(between, width) / width || 1);
  for (let i = 0; i < width; i++)
    within[i * width + i] = (within[i * width + i] as number) + noiseVariance + floor;
  const whitening = spectral(within, width, (value) => 1 / Math.sqrt(Math.max(value, floor)));
  const whitened = product(product(whitening, between, width), whitening, width);
  const { values, vectors } = eigenSymmetric(whitened, width);
  const projection = product(vectors, whitening, width);
  // In these coordinates rows have variance 1 + b, and two of one person covariance b.
  const total = values.map((value) => 1 + Math.max(0, value));
  const correlation = values.map((value) => Math.max(0, value) / (1 + Math.max(0, value)));
  return {
    project: (row) =>
      times(
        projection,
        Float64Array.from(row, (value, i) => value - (mean[i] as number)),
      ),
    compare: (a, b) => {
      let sum = 0;
      for (let i = 0; i < width; i++) {
        const r = correlation[i] as number;
        const [x, y] = [a[i] as number, b[i] as number];
        const left = 1 - r * r;
        const shape = ((x * x + y * y) * r * r - 2 * r * x * y) / ((total[i] as number) * left);
        sum -= (Math.log(left) + shape) / 2;
      }
      return sum;
    },
  };
}

/** Covariance of a person's rows about their mean, and of those means, by moments (analysis of variance). */
function covariances(
  people: readonly RowsOfPerson[],
  width: number,
): { mean: Float64Array; within: Float64Array; between: Float64Array } {
  const count = people.reduce((sum, rows) => sum + rows.length, 0);
  const mean = new Float64Array(width);
  for (const rows of people) for (const row of rows) addInPlace(mean, row, 1 / count);
  const within = new Float64Array(width * width);
  const between = new Float64Array(width * width);
  let squares = 0;
  for (const rows of people) {
    const own = new Float64Array(width);
    for (const row of rows) addInPlace(own, row, 1 / rows.length);
    for (const row of rows) {
      const off = Float64Array.from(row, (value, i) => value - (own[i] as number));
      addOuterInPlace(within, off, off, 1 / (count - people.length));
    }
    const away = own.map((value, i) => value - (mean[i] as number));
    addOuterInPlace(between, away, away, rows.length / (people.length - 1));
    squares += rows.length ** 2;
  }
  const size = (count - squares / count) / (people.length - 1);
  const means = between.map((value, i) => (value - (within[i] as number)) / size);
  return { mean, within, between: spectral(means, width, (value) => Math.max(0, value)) };
}

function addInPlace(target: Float64Array, row: ArrayLike<number>, weight: number): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) + weight * (row[i] as number);
}
