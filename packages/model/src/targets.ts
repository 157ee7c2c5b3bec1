import type { SeededRandom } from '@tutti/base';

/** Interactions to be predicted, each from those before it: rows of three matrices. */
export interface Targets {
  readonly count: number;
  /** Items of a row of `items`: the one that was chosen, then the negatives. */
  readonly width: number;
  /** count × window, the latest last; 0 where `known` is 0. */
  readonly history: Int32Array;
  readonly known: Float32Array;
  readonly items: Int32Array;
}

/**
 * Every positive as a target, in a random order, with `negatives` items drawn uniformly from everything outside the positives;
 * none where nothing lies outside.
 * @param positives oldest first.
 */
export function drawTargets(
  positives: Int32Array,
  { items, window, negatives }: { items: number; window: number; negatives: number },
  random: SeededRandom,
): Targets {
  const own = new Set(positives);
  const count = positives.length;
  const width = 1 + (own.size < items ? negatives : 0);
  const history = new Int32Array(count * window);
  const known = new Float32Array(count * window);
  const drawn = new Int32Array(count * width);
  for (const [row, place] of shuffled(count, random).entries()) {
    const before = latest(positives.subarray(0, place), window);
    history.set(before.history, row * window);
    known.set(before.known, row * window);
    drawn[row * width] = positives[place] as number;
    for (let n = 1; n < width; n++) {
      let item = random.int(items);
      while (own.has(item)) item = random.int(items);
      drawn[row * width + n] = item;
    }
  }
  return { count, width, history, known, items: drawn };
}

/** The last `window` of `items`, the latest last, and which places hold one. */
export function latest(items: Int32Array, window: number): { history: Int32Array; known: Float32Array } {
  const history = new Int32Array(window);
  const known = new Float32Array(window);
  const shown = items.subarray(Math.max(0, items.length - window));
  history.set(shown, window - shown.length);
  known.fill(1, window - shown.length);
  return { history, known };
}

function shuffled(count: number, random: SeededRandom): Int32Array {
  const order = Int32Array.from({ length: count }, (_, place) => place);
  for (let i = count - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}
