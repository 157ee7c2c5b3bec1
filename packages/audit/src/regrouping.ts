import { DEFAULT_NOISE_MULTIPLIER } from '@tutti/privacy';
import { auc, distance } from './statistics.ts';
import { dot, itemTable, noisySum, norm, rowOf, type PersonDelta, type Victims } from './people.ts';
import { defended, exposed, type AttackResult } from './types.ts';

/** What the attacker must reach without noise, and stay below with it (secure-aggregation.md §6). */
const WITHOUT_NOISE = 0.99;
const WITH_NOISE = 0.6;

/** Rows that are compared, at most: some eighty thousand pairs. */
const MOST_ROWS = 400;

/**
 * Regrouping: a row of the item table that one person alone moved lies along that person's vector, so such rows of an exact sum
 * can be sorted back into persons by the angle between them. What everybody adds to every row (the pull of matrix factorisation
 * towards 0) is one linear map of the item's vector: the attacker learns it from the rows that nobody moved, and takes it away.
 * Every pair of rows that one client alone moved is scored by |cos|; the statistic is the area under the curve for "same person".
 */
export function regrouping(
  victims: Victims,
  shared: Float32Array,
  cohort: readonly PersonDelta[],
): AttackResult[] {
  const { rows, owners, untouched } = rowsByTouch(victims, cohort);
  const deltas = cohort.map(({ delta }) => delta);
  const area = (noiseMultiplier: number): number => {
    const stream = victims.random.fork('regrouping', noiseMultiplier);
    const sum = noisySum(victims, deltas, noiseMultiplier, stream);
    const pull = commonMap(victims, shared, sum, untouched);
    const cleaned = rows.map((item) => takeAway(victims, shared, sum, item, pull));
    const scores: number[] = [];
    const labels: number[] = [];
    cleaned.forEach((row, i) => {
      for (let j = 0; j < i; j++) {
        const other = cleaned[j] as Float64Array;
        scores.push(Math.abs(dot(row, other)) / Math.max(norm(row) * norm(other), Number.MIN_VALUE));
        labels.push(owners[i] === owners[j] ? 1 : 0);
      }
    });
    return distance(auc(scores, labels));
  };
  const statistic = `area under the curve for "two rows of one person", ${rows.length} rows of ${cohort.length} people`;
  const name = 'regrouping rows of the sum by person';
  return [
    exposed({ name, statistic, value: area(0), bound: WITHOUT_NOISE }),
    defended({
      name,
      defence: `noise of ${100 * DEFAULT_NOISE_MULTIPLIER} % of the clipping norm (the default)`,
      statistic,
      value: area(DEFAULT_NOISE_MULTIPLIER),
      bound: WITH_NOISE,
    }),
  ];
}

/** Item rows that one person of the cohort alone touched, and who; and rows that nobody touched. */
function rowsByTouch(
  { model }: Victims,
  cohort: readonly PersonDelta[],
): { rows: number[]; owners: number[]; untouched: number[] } {
  const owner = new Map<number, number>();
  for (const { user, items } of cohort)
    for (const item of items) owner.set(item, owner.has(item) ? -1 : user);
  const lone = [...owner].filter(([, user]) => user >= 0).slice(0, MOST_ROWS);
  const untouched = Array.from({ length: model.items }, (_, item) => item).filter((item) => !owner.has(item));
  return { rows: lone.map(([item]) => item), owners: lone.map(([, user]) => user), untouched };
}

/** M with row ≈ M·q over the untouched items (least squares); zeros where they are too few to tell. */
function commonMap(
  { model }: Victims,
  shared: Float32Array,
  sum: Float64Array,
  untouched: readonly number[],
): Float64Array {
  const { width } = itemTable(model);
  const gram = new Float64Array(width * width);
  const cross = new Float64Array(width * width);
  for (const item of untouched) {
    const q = rowOf(model, shared, item);
    const row = rowOf(model, sum, item);
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) {
        gram[i * width + j] = (gram[i * width + j] as number) + (q[i] as number) * (q[j] as number);
        cross[i * width + j] = (cross[i * width + j] as number) + (row[i] as number) * (q[j] as number);
      }
  }
  return untouched.length < 4 * width ? new Float64Array(width * width) : divided(cross, gram, width);
}

/** cross · gram⁻¹, by Gauss–Jordan with a trace of ridge. */
function divided(cross: Float64Array, gram: Float64Array, width: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < width; i++) trace += gram[i * width + i] as number;
  // gram is symmetric: gram · Xᵀ = crossᵀ. Columns of crossᵀ are rows of cross.
  const left = gram.slice();
  for (let i = 0; i < width; i++) left[i * width + i] = (left[i * width + i] as number) + 1e-9 * trace;
  const right = cross.slice();
  for (let pivot = 0; pivot < width; pivot++) {
    const scale = 1 / (left[pivot * width + pivot] as number);
    for (let j = 0; j < width; j++) left[pivot * width + j] = (left[pivot * width + j] as number) * scale;
    for (let j = 0; j < width; j++) right[j * width + pivot] = (right[j * width + pivot] as number) * scale;
    for (let i = 0; i < width; i++) {
      const factor = left[i * width + pivot] as number;
      if (i === pivot || factor === 0) continue;
      for (let j = 0; j < width; j++)
        left[i * width + j] = (left[i * width + j] as number) - factor * (left[pivot * width + j] as number);
      for (let j = 0; j < width; j++)
        right[j * width + i] =
          (right[j * width + i] as number) - factor * (right[j * width + pivot] as number);
    }
  }
  return right;
}

function takeAway(
  { model }: Victims,
  shared: Float32Array,
  sum: Float64Array,
  item: number,
  map: Float64Array,
): Float64Array {
  const q = rowOf(model, shared, item);
  const { width } = itemTable(model);
  return Float64Array.from(
    rowOf(model, sum, item),
    (value, i) => value - dot(map.subarray(i * width, (i + 1) * width), q),
  );
}
