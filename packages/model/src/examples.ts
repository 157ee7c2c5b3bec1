import type { SeededRandom } from '@tutti/base';
import type { LocalData } from './types.ts';

/** Labelled items of one person, in a random order. */
export interface Examples {
  readonly items: Int32Array;
  /** 1 for a positive, 0 for a negative. */
  readonly labels: Float32Array;
}

/**
 * Every positive, and `negatives` items for each drawn uniformly from everything outside the positives: the held-out item
 * can be drawn, as it must (recommendation-quality.md §1). Where nothing lies outside, there are no negatives.
 *
 * Four words of `random` seed a stream of its own, so that every engine draws the same examples at its own speed. A word w
 * becomes ⌊w·n / 2³²⌋: chances of items differ by at most n / 2³², next to nothing in training.
 */
export function drawExamples(
  positives: Int32Array,
  items: number,
  negatives: number,
  random: SeededRandom,
): Examples {
  return drawExamplesFrom(drawSeed(random), positives, items, negatives);
}

/** {@link drawExamples} from a seed that was drawn before. */
export function drawExamplesFrom(
  seed: ExampleSeed,
  positives: Int32Array,
  items: number,
  negatives: number,
): Examples {
  const below = exampleStream(seed);
  const own = new Set(positives);
  const perPositive = own.size < items ? negatives : 0;
  const count = positives.length * (1 + perPositive);
  const drawn = new Int32Array(count);
  const labels = new Float32Array(count);
  let at = 0;
  for (const positive of positives) {
    drawn[at] = positive;
    labels[at++] = 1;
    for (let n = 0; n < perPositive; n++) {
      let item = below(items);
      while (own.has(item)) item = below(items);
      drawn[at++] = item;
    }
  }
  shuffleInPlace(drawn, labels, below);
  return { items: drawn, labels };
}

/**
 * Every positive with each of `negatives` items drawn as in {@link drawExamples}, pair by pair in a random order: positive, negative,
 * positive, … None where nothing lies outside the positives.
 */
export function drawPairs(
  positives: Int32Array,
  items: number,
  negatives: number,
  random: SeededRandom,
): Int32Array {
  const below = exampleStream(drawSeed(random));
  const own = new Set(positives);
  if (own.size >= items) return new Int32Array(0);
  const chosen = Int32Array.from({ length: positives.length * negatives }, (_, pair) =>
    Number(positives[Math.floor(pair / negatives)]),
  );
  const drawn = Float32Array.from(chosen, () => {
    let item = below(items);
    while (own.has(item)) item = below(items);
    return item;
  });
  shuffleInPlace(chosen, drawn, below);
  return Int32Array.from({ length: 2 * chosen.length }, (_, at) =>
    Number((at % 2 === 0 ? chosen : drawn)[at >> 1]),
  );
}

/** The items that a person rated, and their ratings, in a random order. */
export function ratedExamples(
  { positives, ratings }: Pick<LocalData, 'positives' | 'ratings'>,
  random: SeededRandom,
): { items: Int32Array; targets: Float32Array } {
  const rated = positives.map((_, at) => at).filter((at) => !Number.isNaN(ratings?.[at] ?? Number.NaN));
  const items = rated.map((at) => positives[at] as number);
  const targets = Float32Array.from(rated, (at) => ratings?.[at] as number);
  shuffleInPlace(items, targets, exampleStream(drawSeed(random)));
  return { items, targets };
}

/** What a stream of examples starts from: four 32-bit words. */
export type ExampleSeed = readonly [number, number, number, number];

/** The next seed of a stream of examples. */
export function drawSeed(random: SeededRandom): ExampleSeed {
  return [random.uint32(), random.uint32(), random.uint32(), random.uint32()];
}

/** Whole numbers below a bound, at most 2²¹ so that float64 multiplies them exactly, from sfc32. */
function exampleStream([seedA, seedB, seedC, seedCounter]: ExampleSeed): (bound: number) => number {
  let a = seedA | 0;
  let b = seedB | 0;
  let c = seedC | 0;
  let counter = seedCounter | 0;
  const next = (): number => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 15; i++) next();
  return (bound) => Math.floor((next() * bound) / 4_294_967_296);
}

function shuffleInPlace(items: Int32Array, labels: Float32Array, below: (bound: number) => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = below(i + 1);
    [items[i], items[j]] = [items[j] as number, items[i] as number];
    [labels[i], labels[j]] = [labels[j] as number, labels[i] as number];
  }
}

/** The distinct items of `items`, and where each of them stands among those: a compact table touches only these rows. */
export function compactRows(items: Int32Array): { rows: Int32Array; positions: Int32Array } {
  const place = new Map<number, number>();
  const positions = Int32Array.from(items, (item) => {
    const known = place.get(item) ?? place.size;
    place.set(item, known);
    return known;
  });
  return { rows: Int32Array.from(place.keys()), positions };
}
