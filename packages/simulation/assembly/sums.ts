/**
 * Adds inputs to running sums, four words at a time; src/running-sums.ts says what it computes. The host lays out the memory.
 * Compiled by `npm run build:wasm -w packages/simulation` into src/sums-wasm.gen.ts.
 */

/** Adds the words from `words` on to those of `sum` at the places of `pairs` ranges, each a first place and a count; all u32, in bytes. */
export function addRanges(sum: usize, words: usize, ranges: usize, pairs: i32): void {
  for (let i = 0; i < pairs; i++) {
    let to = sum + (<usize>load<i32>(ranges) << 2);
    const count = <usize>load<i32>(ranges, 4) << 2;
    const vectors = words + (count & ~15);
    const end = words + count;
    for (; words < vectors; words += 16) {
      v128.store(to, i32x4.add(v128.load(to), v128.load(words)));
      to += 16;
    }
    for (; words < end; words += 4) {
      store<i32>(to, load<i32>(to) + load<i32>(words));
      to += 4;
    }
    ranges += 8;
  }
}
