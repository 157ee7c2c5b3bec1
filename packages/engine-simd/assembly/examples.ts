/** Labelled items of one person, and the distinct rows they name: the same draws as packages/model/src/examples.ts. */
import { getI32, setF32, setI32 } from './memory';

let a: u32 = 0;
let b: u32 = 0;
let c: u32 = 0;
let counter: u32 = 0;

/** sfc32. */
// @ts-ignore: decorator
@inline
function nextWord(): u32 {
  const t = a + b + counter;
  counter++;
  a = b ^ (b >> 9);
  b = c + (c << 3);
  c = ((c << 21) | (c >> 11)) + t;
  return t;
}

// @ts-ignore: decorator
@inline
function below(bound: i32): i32 {
  return <i32>((<u64>nextWord() * <u64>bound) >> 32);
}

/**
 * Writes every positive and `negatives` others for each to `items` and `labels`, in a random order.
 * @param marks one i32 for each item of the catalogue, 0 before and after.
 * @returns how many examples there are.
 */
export function drawExamples(
  positives: usize, count: i32, catalogue: i32, negatives: i32,
  seed0: u32, seed1: u32, seed2: u32, seed3: u32,
  marks: usize, items: usize, labels: usize,
): i32 {
  a = seed0;
  b = seed1;
  c = seed2;
  counter = seed3;
  for (let i = 0; i < 15; i++) nextWord();
  let distinct = 0;
  for (let i = 0; i < count; i++) {
    const item = getI32(positives, i);
    distinct += getI32(marks, item) == 0 ? 1 : 0;
    setI32(marks, item, 1);
  }
  const each = distinct < catalogue ? negatives : 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    setI32(items, at, getI32(positives, i));
    setF32(labels, at++, 1);
    for (let n = 0; n < each; n++) {
      let item: i32;
      do {
        item = below(catalogue);
      } while (getI32(marks, item) != 0);
      setI32(items, at, item);
      setF32(labels, at++, 0);
    }
  }
  for (let i = 0; i < count; i++) setI32(marks, getI32(positives, i), 0);
  for (let i = at - 1; i > 0; i--) {
    const j = below(i + 1);
    const item = getI32(items, i);
    setI32(items, i, getI32(items, j));
    setI32(items, j, item);
    const label = getI32(labels, i);
    setI32(labels, i, getI32(labels, j));
    setI32(labels, j, label);
  }
  return at;
}

/**
 * Writes the distinct items of `items`, in the order of their first place, to `rows`, and each item's place among those to
 * `positions`. @param marks as above. @returns how many rows there are.
 */
export function compactRows(items: usize, count: i32, marks: usize, rows: usize, positions: usize): i32 {
  let distinct = 0;
  for (let i = 0; i < count; i++) {
    const item = getI32(items, i);
    let place = getI32(marks, item);
    if (place == 0) {
      setI32(rows, distinct++, item);
      place = distinct;
      setI32(marks, item, place);
    }
    setI32(positions, i, place - 1);
  }
  for (let i = 0; i < distinct; i++) setI32(marks, getI32(rows, i), 0);
  return distinct;
}
