import { addOuterInPlace, product, spectral, times, trace } from './matrix.ts';
import { itemTable, rowOf, type PersonDelta, type Victims } from './people.ts';

/**
 * What everybody adds to every row, whoever they are: the pull of matrix factorisation towards 0, −a0·(Σ w·wᵀ)·q. It is one linear
 * map of the item's vector, so an attacker learns it from rows that nobody touched, and takes it away. Families without such a
 * pull have the zero map.
 */
export type Pull = Float64Array;

/** How far, relatively, the pull of one cohort differs from that of another. */
const SPREAD = 0.2;

/** The pull in a sum without noise, as far as rows that none of `people` touched tell; zeros where they are too few. */
export function exactPull(
  victims: Victims,
  people: readonly PersonDelta[],
  sum: Float64Array | Float32Array,
): Pull {
  const { width } = itemTable(victims.model);
  return fitted(victims, untouchedBy(victims, people), sum, new Float64Array(width * width), 0);
}

/** The pull in a sum with noise: what `expected` says, corrected as far as the noise (a variance a lane) allows. */
export function noisyPull(
  victims: Victims,
  people: readonly PersonDelta[],
  sum: Float64Array,
  { expected, noiseVariance }: { expected: Pull; noiseVariance: number },
): Pull {
  const squares = expected.reduce((total, value) => total + value * value, 0) / expected.length;
  if (squares === 0) return expected;
  const ridge = noiseVariance / (SPREAD * SPREAD * squares);
  return fitted(victims, untouchedBy(victims, people), sum, expected, ridge);
}

/** The row of `item`, less what everybody adds. */
export function withoutPull(
  { model, shared }: Victims,
  sum: Float64Array | Float32Array,
  item: number,
  pull: Pull,
): Float64Array {
  const common = times(pull, rowOf(model, shared, item));
  return Float64Array.from(rowOf(model, sum, item), (value, i) => value - (common[i] as number));
}

function untouchedBy({ model }: Victims, people: readonly PersonDelta[]): number[] {
  const touched = new Set(people.flatMap((person) => [...person.touched]));
  return Array.from({ length: model.items }, (_, item) => item).filter((item) => !touched.has(item));
}

/** expected + (cross − expected·gram)·(gram + ridge)⁻¹: least squares that stays near what is expected. */
function fitted(
  { model, shared }: Victims,
  untouched: readonly number[],
  sum: Float64Array | Float32Array,
  expected: Pull,
  ridge: number,
): Pull {
  const { width } = itemTable(model);
  if (untouched.length < 4 * width) return expected;
  const gram = new Float64Array(width * width);
  const cross = new Float64Array(width * width);
  for (const item of untouched) {
    const q = rowOf(model, shared, item);
    addOuterInPlace(gram, q, q);
    addOuterInPlace(cross, rowOf(model, sum, item), q);
  }
  const floor = 1e-9 * trace(gram, width) + ridge;
  const inverse = spectral(gram, width, (value) => 1 / (Math.max(0, value) + floor));
  const known = product(expected, gram, width);
  const correction = product(
    cross.map((value, i) => value - (known[i] as number)),
    inverse,
    width,
  );
  return expected.map((value, i) => value + (correction[i] as number));
}
