import { fillWords, fromPackedText, type RandomWords } from '@tutti/base';
import { ROUNDING_WASM } from './rounding-wasm.gen.ts';

/** Words of a stream, in order; they are drawn a block ahead. */
export interface WordReader {
  next(): number;
}

/** Writes each delta·factor, rounded up or down at random, to `lanes`; words are taken from `words` as they are needed. */
export type RoundLanes = (lanes: Int32Array, delta: Float32Array, factor: number, words: BlockReader) => void;

/** 2⁻³², and half of it: a random word as a number strictly between 0 and 1. */
export const WORD = 2 ** -32;
export const HALF = 2 ** -33;

/** Lanes of a chunk, and words that may lie ready for it (assembly/rounding.ts). */
const CHUNK_LANES = 4_096;
const CHUNK_WORDS = 1_280;

/** Words that `lanes` lanes are likely to take: a quarter each, once in 256 lanes another, and some for luck. */
const likelyWords = (lanes: number): number => Math.min(CHUNK_WORDS, (lanes >> 2) + (lanes >> 7) + 16);

/** Words that are drawn at a time where one is asked for. */
const FEW_WORDS = 16;

/** A stream read through a block, so that a chunk finds the words that it needs in one place. */
export class BlockReader implements WordReader {
  #at = 0;
  #filled = 0;

  /** @param block where the words stand; {@link CHUNK_WORDS} of them. */
  constructor(
    private readonly random: RandomWords,
    private readonly block: Uint32Array = new Uint32Array(CHUNK_WORDS),
  ) {}

  next(): number {
    if (this.#at === this.#filled) this.ready(FEW_WORDS);
    return this.block[this.#at++] as number;
  }

  /** Moves the words that are left to the block's beginning and draws more, until there are `words`. @returns how many there are. */
  ready(words: number): number {
    const left = this.#filled - this.#at;
    this.block.copyWithin(0, this.#at, this.#filled);
    this.#at = 0;
    this.#filled = Math.max(left, Math.min(words, this.block.length));
    fillWords(this.random, this.block.subarray(left, this.#filled));
    return this.#filled;
  }

  /** Counts `words` words as taken. */
  skip(words: number): void {
    this.#at += words;
  }
}

/**
 * The rounding in TypeScript: a quarter of a word a lane. Eight random bits are held against the first eight bits of the
 * fraction; where they are equal, once in 256 lanes, a word of its own decides on the bits that follow.
 */
export function roundInTypescript(
  lanes: Int32Array,
  delta: Float32Array,
  factor: number,
  words: WordReader,
): void {
  const in256ths = 256 * factor;
  let word = 0;
  for (let i = 0; i < delta.length; i++) {
    word = (i & 3) === 0 ? words.next() | 0 : word >> 8;
    const value = (delta[i] as number) * in256ths;
    const whole = Math.floor(value);
    const below = Math.floor(whole / 256);
    const first = whole - 256 * below;
    const bits = word & 255;
    // The sign bit of bits − first: 1 where bits < first.
    let up = (bits - first) >>> 31;
    if (bits === first) up = words.next() * WORD + HALF < value - whole ? 1 : 0;
    lanes[i] = below + up;
  }
}

/** What assembly/rounding.ts exports. */
interface RoundingExports {
  readonly memory: WebAssembly.Memory;
  readonly DELTA_OFFSET: WebAssembly.Global;
  readonly LANES_OFFSET: WebAssembly.Global;
  readonly WORDS_OFFSET: WebAssembly.Global;
  readonly reached: WebAssembly.Global;
  roundChunk(from: number, to: number, factor: number, words: number): number;
  wipe(): void;
}

/** A way to round, and the block that its words are read through. */
export interface Rounding {
  readonly name: 'wasm' | 'typescript';
  reader(random: RandomWords): BlockReader;
  readonly round: RoundLanes;
  /** Forgets what it worked on. */
  wipe(): void;
}

export const typescriptRounding: Rounding = {
  name: 'typescript',
  reader: (random) => new BlockReader(random),
  round: roundInTypescript,
  wipe: () => undefined,
};

/** @returns undefined where the platform has no WebAssembly SIMD, or where a content policy forbids WebAssembly. */
export function wasmRounding(): Rounding | undefined {
  let exports: RoundingExports;
  try {
    const bytes = fromPackedText(ROUNDING_WASM);
    exports = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as RoundingExports;
  } catch {
    return undefined;
  }
  const { buffer } = exports.memory;
  const at = (offset: WebAssembly.Global): number => offset.value as number;
  const deltas = new Float32Array(buffer, at(exports.DELTA_OFFSET), CHUNK_LANES);
  const rounded = new Int32Array(buffer, at(exports.LANES_OFFSET), CHUNK_LANES);
  const block = new Uint32Array(buffer, at(exports.WORDS_OFFSET), CHUNK_WORDS);
  return {
    name: 'wasm',
    reader: (random) => new BlockReader(random, block),
    round(lanes, delta, factor, words) {
      const whole = delta.length & ~3;
      for (let from = 0; from < whole; from += CHUNK_LANES) {
        const part = delta.subarray(from, Math.min(whole, from + CHUNK_LANES));
        deltas.set(part);
        for (let at = 0; at < part.length; at = exports.reached.value as number)
          words.skip(exports.roundChunk(at, part.length, factor, words.ready(likelyWords(part.length - at))));
        lanes.set(part.length === CHUNK_LANES ? rounded : rounded.subarray(0, part.length), from);
      }
      roundInTypescript(lanes.subarray(whole), delta.subarray(whole), factor, words);
    },
    wipe: () => exports.wipe(),
  };
}

let chosen: Rounding | undefined;

/** WebAssembly where there is some, else TypeScript: the same lanes. */
export const bestRounding = (): Rounding => (chosen ??= wasmRounding() ?? typescriptRounding);
