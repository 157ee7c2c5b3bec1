import { addRangesInto, fromPackedText, UsageError, type Ranges } from '@tutti/base';
import type { RangedInputs } from '@tutti/client';
import { addInto } from '@tutti/secure-aggregation';
import { SUMS_WASM } from './sums-wasm.gen.ts';

/** What assembly/sums.ts exports. Places are in bytes. */
interface SumsExports {
  readonly memory: WebAssembly.Memory;
  addRanges(sum: number, words: number, ranges: number, pairs: number): void;
}

/** One running sum: in the memory of WebAssembly, or, where that is full, in a vector of its own. */
type RunningSum =
  { readonly at: number; readonly words: number } | { readonly vector: Uint32Array; readonly words: number };

/** Numbers of as many ranges as an input of `words` words may have: each holds a word or more, and one or another may be empty. */
const rangeNumbers = (words: number): number => 2 * (words + 16);

const PAGE_BYTES = 65_536;

/** Bytes that sums may take in WebAssembly's memory, which never gives any back; further ones stand outside. */
const MOST_BYTES = 2 ** 30;

/**
 * Sums modulo 2³², each under a name, that inputs are added to. Inputs in ranges are added with SIMD in memory that is used again: a
 * fresh vector for each of a round's groups costs as much in page faults as a third of the additions.
 */
export class RunningSums {
  readonly #sums = new Map<string, RunningSum>();
  readonly #kernel = new WebAssembly.Instance(new WebAssembly.Module(fromPackedText(SUMS_WASM)))
    .exports as unknown as SumsExports;
  /** Places of sums that were taken, by their length in words. */
  readonly #free = new Map<number, number[]>();
  #end = 0;
  /** Where an input stands: room for `words` words, and behind them for their ranges. */
  #input = { at: 0, words: 0 };

  /** @param mostBytes of memory that sums take in WebAssembly, with the room for inputs that was made by then; that may come on top. */
  constructor(private readonly mostBytes: number = MOST_BYTES) {}

  /** Memory for an input in ranges that is added before the next one is made: what stands there is not copied. */
  readonly inputs: RangedInputs = {
    words: (count) => {
      this.#makeRoom(count);
      return this.#view(this.#input.at, count);
    },
    ranges: (count) => {
      if (count > rangeNumbers(this.#input.words))
        throw new UsageError(`${count} numbers for the ranges of ${this.#input.words} words`);
      return new Int32Array(this.#kernel.memory.buffer, this.#input.at + 4 * this.#input.words, count);
    },
  };

  /**
   * Adds an input to the sum called `name`; a new one is of zeros.
   * @param words all `length` of the input, or those of `ranges`, all others being zero.
   */
  add(name: string, words: Uint32Array, length: number, ranges?: Ranges): void {
    if (ranges === undefined) {
      addInto(this.#vectorOf(this.#sumOf(name, length)), words);
      return;
    }
    const placed = this.#place(words, ranges);
    const sum = this.#sumOf(name, length);
    if ('at' in sum) this.#kernel.addRanges(sum.at, placed.words, placed.ranges, placed.pairs);
    else addRangesInto(sum.vector, words, ranges);
  }

  /** The sum called `name`, which is then forgotten here; undefined where nothing was added to it. */
  take(name: string): Uint32Array<ArrayBuffer> | undefined {
    const sum = this.#sums.get(name);
    this.#sums.delete(name);
    if (sum === undefined) return undefined;
    if ('vector' in sum) return sum.vector as Uint32Array<ArrayBuffer>;
    this.#release(sum);
    this.#view(this.#input.at, this.#input.words).fill(0);
    return this.#view(sum.at, sum.words).slice();
  }

  /** Forgets the sums whose names `isOver` says so of. */
  drop(isOver: (name: string) => boolean): void {
    for (const [name, sum] of this.#sums)
      if (isOver(name)) {
        this.#sums.delete(name);
        this.#release(sum);
      }
  }

  #release(sum: RunningSum): void {
    if ('at' in sum) this.#free.set(sum.words, [...(this.#free.get(sum.words) ?? []), sum.at]);
  }

  #sumOf(name: string, words: number): RunningSum {
    const known = this.#sums.get(name);
    if (known !== undefined) return known;
    const at = this.#free.get(words)?.pop() ?? this.#room(words);
    const sum = at === undefined ? { vector: new Uint32Array(words), words } : { at, words };
    if ('at' in sum) this.#view(sum.at, words).fill(0);
    this.#sums.set(name, sum);
    return sum;
  }

  #vectorOf(sum: RunningSum): Uint32Array {
    return 'vector' in sum ? sum.vector : this.#view(sum.at, sum.words);
  }

  /** Where an input stands, in bytes: where it was made, or a copy. A memory that grows leaves it there. */
  #place(words: Uint32Array, ranges: Ranges): { words: number; ranges: number; pairs: number } {
    const pairs = ranges.length >> 1;
    if (words.buffer === this.#kernel.memory.buffer)
      return { words: words.byteOffset, ranges: ranges.byteOffset, pairs };
    const room = this.inputs.words(Math.max(words.length, pairs));
    const places = this.inputs.ranges(ranges.length);
    room.set(words);
    places.set(ranges);
    return { words: room.byteOffset, ranges: places.byteOffset, pairs };
  }

  #makeRoom(words: number): void {
    if (this.#input.words >= words) return;
    // Twice as much, for the next one may be longer: room that was made before is left behind, and all of it is less than this.
    this.#input = { at: this.#grow(2 * words + rangeNumbers(2 * words)), words: 2 * words };
  }

  /** Room for a sum; undefined where there is none left. */
  #room(words: number): number | undefined {
    return this.#end + 4 * words > this.mostBytes ? undefined : this.#grow(words);
  }

  #grow(words: number): number {
    const at = this.#end;
    // Whole vectors, so that sums begin at one.
    this.#end = at + ((4 * words + 15) & ~15);
    const { memory } = this.#kernel;
    const missing = this.#end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    return at;
  }

  #view(at: number, words: number): Uint32Array {
    return new Uint32Array(this.#kernel.memory.buffer, at, words);
  }
}
