/** The k best of a stream of scores: a heap with the worst kept one on top. */
import { bytesOf, getF32, getI32, setF32, setI32 } from './memory';

/** Scores and items of the heap, and whether each item is left out. */
let scores: usize = 0;
let items: usize = 0;
let excluded: usize = 0;
let capacity: i32 = 0;
let size: i32 = 0;

export function openRanking(k: i32, scoresAt: usize, itemsAt: usize, excludedAt: usize): void {
  scores = scoresAt;
  items = itemsAt;
  excluded = excludedAt;
  capacity = k;
  size = 0;
}

/** Whether place i holds something worse than place j: a lower score, or a later item with the same. */
// @ts-ignore: decorator
@inline
function worse(i: i32, j: i32): bool {
  const a = getF32(scores, i);
  const b = getF32(scores, j);
  return a != b ? a < b : getI32(items, i) > getI32(items, j);
}

// @ts-ignore: decorator
@inline
function swap(i: i32, j: i32): void {
  const score = getF32(scores, i);
  const item = getI32(items, i);
  setF32(scores, i, getF32(scores, j));
  setI32(items, i, getI32(items, j));
  setF32(scores, j, score);
  setI32(items, j, item);
}

function siftDown(count: i32): void {
  let at = 0;
  for (;;) {
    let worst = at;
    const left = 2 * at + 1;
    if (left < count && worse(left, worst)) worst = left;
    if (left + 1 < count && worse(left + 1, worst)) worst = left + 1;
    if (worst == at) return;
    swap(at, worst);
    at = worst;
  }
}

function offer(item: i32, given: f32): void {
  if (load<u8>(excluded + item) != 0) return;
  // What is not a number ranks last.
  const score = given == given ? given : -f32.MAX_VALUE;
  if (size < capacity) {
    let at = size++;
    setF32(scores, at, score);
    setI32(items, at, item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!worse(at, parent)) return;
      swap(at, parent);
      at = parent;
    }
    return;
  }
  if (!(score > getF32(scores, 0))) return;
  setF32(scores, 0, score);
  setI32(items, 0, item);
  siftDown(size);
}

/** Offers the scores of items first, first + 1 … in ascending order of the items. */
export function offerScores(at: usize, first: i32, count: i32): void {
  let i = 0;
  for (; i < count && size < capacity; i++) offer(first + i, getF32(at, i));
  let threshold = f32x4.splat(capacity == 0 ? f32.MAX_VALUE : getF32(scores, 0));
  for (; i + 4 <= count; i += 4) {
    if (!v128.any_true(f32x4.gt(v128.load(at + bytesOf(i)), threshold))) continue;
    for (let lane = 0; lane < 4; lane++) offer(first + i + lane, getF32(at, i + lane));
    threshold = f32x4.splat(getF32(scores, 0));
  }
  for (; i < count && capacity > 0; i++) offer(first + i, getF32(at, i));
}

/** Sorts what was kept, best first. @returns how many there are. */
export function closeRanking(): i32 {
  for (let count = size - 1; count > 0; count--) {
    swap(0, count);
    siftDown(count);
  }
  return size;
}
