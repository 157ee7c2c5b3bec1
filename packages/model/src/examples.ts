import type { SeededRandom } from '@tutti/base';

/** Labelled items of one person, in a random order. */
export interface Examples {
  readonly items: Int32Array;
  /** 1 for a positive, 0 for a negative. */
  readonly labels: Float32Array;
}

/**
 * Every positive, and `negatives` items for each drawn uniformly from everything outside the positives: the held-out item
 * can be drawn, as it must (recommendation-quality.md §1). Where nothing lies outside, there are no negatives.
 */
export function drawExamples(
  positives: Int32Array,
  items: number,
  negatives: number,
  random: SeededRandom,
): Examples {
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
      let item = random.int(items);
      while (own.has(item)) item = random.int(items);
      drawn[at++] = item;
    }
  }
  shuffleInPlace(drawn, labels, random);
  return { items: drawn, labels };
}

function shuffleInPlace(items: Int32Array, labels: Float32Array, random: SeededRandom): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
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
