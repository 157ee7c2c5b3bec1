import type { SeededRandom } from '@tutti/base';
import type { Interactions } from './types.ts';

/** Items that a held-out item is ranked among (He et al. 2017, §4.1). */
export const CANDIDATES = 99;

/**
 * For each user, `count` distinct items outside everything that user ever touched; all of them where there are fewer.
 * These are for ranking a held-out item only: drawing training negatives so would leak which item was held out.
 *
 * @param touched all interactions, the held-out ones included.
 * @param positives users with −1 get no candidates.
 */
export function drawCandidates(
  touched: Interactions,
  positives: Int32Array,
  count: number,
  random: SeededRandom,
): Int32Array[] {
  const lastUserOf = new Int32Array(touched.items).fill(-1); // touched by, or drawn for, this user
  return Array.from(positives, (positive, user) => {
    if (positive < 0) return new Int32Array(0);
    const row = touched.values.subarray(touched.offsets[user], touched.offsets[user + 1]);
    for (const item of row) lastUserOf[item] = user;
    const free = touched.items - row.length;
    if (free <= 2 * count) return sampleOf(untouched(lastUserOf, user), count, random);
    const drawn = new Int32Array(count);
    for (let n = 0; n < count;) {
      const item = random.int(touched.items);
      if (lastUserOf[item] === user) continue;
      lastUserOf[item] = user;
      drawn[n++] = item;
    }
    return drawn;
  });
}

function untouched(lastUserOf: Int32Array, user: number): Int32Array {
  const free: number[] = [];
  for (let item = 0; item < lastUserOf.length; item++) if (lastUserOf[item] !== user) free.push(item);
  return Int32Array.from(free);
}

/** The first `count` of a Fisher–Yates shuffle, in place. */
function sampleOf(pool: Int32Array, count: number, random: SeededRandom): Int32Array {
  const size = Math.min(count, pool.length);
  for (let n = 0; n < size; n++) {
    const other = n + random.int(pool.length - n);
    const chosen = pool[other] as number;
    pool[other] = pool[n] as number;
    pool[n] = chosen;
  }
  return pool.slice(0, size);
}
