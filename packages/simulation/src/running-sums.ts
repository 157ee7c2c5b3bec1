import { addRangesInto, fromPackedText, type Ranges } from '@tutti/base';
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
  #input = { at: 0, words: 0 };

  /** @param mostBytes of memory that sums and one input take in WebAssembly. */
  constructor(private readonly mostBytes: number = MOST_BYTES) {}

  /**
   * Adds an input, which is copied, to the sum called `name`; a new one is of zeros.
   * @param words all `length` of the input, or those of `ranges`, all others being zero.
   */
  add(name: string, words: Uint32Array, length: number, ranges?: Ranges): void {
    const sum = this.#sums.get(name) ?? this.#open(name, length);
    if ('vector' in sum) {
      if (ranges === undefined) addInto(sum.vector, words);
      else addRangesInto(sum.vector, words, ranges);
    } else if (ranges === undefined) addInto(this.#view(sum.at, sum.words), words);
    else this.#addRanges(sum.at, words, ranges);
  }

  /** The sum called `name`, which is then forgotten here; undefined where nothing was added to it. */
  take(name: string): Uint32Array<ArrayBuffer> | undefined {
    const sum = this.#sums.get(name);
    this.#sums.delete(name);
    if (sum === undefined) return undefined;
    if ('vector' in sum) return sum.vector as Uint32Array<ArrayBuffer>;
    this.#free.set(sum.words, [...(this.#free.get(sum.words) ?? []), sum.at]);
    return this.#view(sum.at, sum.words).slice();
  }

  #open(name: string, words: number): RunningSum {
    const at = this.#free.get(words)?.pop() ?? this.#room(words);
    const sum = at === undefined ? { vector: new Uint32Array(words), words } : { at, words };
    if ('at' in sum) this.#view(sum.at, words).fill(0);
    this.#sums.set(name, sum);
    return sum;
  }

  #addRanges(sum: number, words: Uint32Array, ranges: Ranges): void {
    const needed = words.length + ranges.length;
    if (this.#input.words < needed) {
      // One input more than MOST_BYTES: an input is no longer than a sum.
      this.#input = { at: this.#grow(2 * needed), words: 2 * needed };
    }
    const { at } = this.#input;
    const room = this.#view(at, needed);
    room.set(words);
    room.set(ranges, words.length);
    this.#kernel.addRanges(sum, at, at + 4 * words.length, ranges.length >> 1);
    room.fill(0, 0, words.length);
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
