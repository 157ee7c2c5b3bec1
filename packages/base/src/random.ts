import type { Brand } from './brand.ts';
import { secretBytes } from './bytes.ts';
import { UsageError } from './errors.ts';

/** A stream of independent, uniform 32-bit words: enough for rounding and noise, never enough for a key. */
export interface RandomWords {
  /** The next word, an integer in [0, 2³²). */
  uint32(): number;
  /** The next `target.length` words, in order: what as many calls of {@link RandomWords.uint32} give, but faster. */
  fill?(target: Uint32Array): void;
}

/** Fills `target` with the next words of `random`. */
export function fillWords(random: RandomWords, target: Uint32Array): void {
  if (random.fill !== undefined) random.fill(target);
  else for (let i = 0; i < target.length; i++) target[i] = random.uint32();
}

/** Cryptographic randomness. Keys, seeds and nonces take this type, so that no simulation seed can reach them. */
export type SecureRandom = Brand<{ bytes(length: number): Uint8Array }, 'SecureRandom'>;

/** The platform's cryptographic generator (WebCrypto; the same call in browsers and Node). */
export function systemRandom(): SecureRandom {
  const bytes = (length: number): Uint8Array => {
    const out = secretBytes(length);
    for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(out.subarray(at, at + 65_536));
    return out;
  };
  return { bytes } as SecureRandom;
}

/** Words drawn from `random` in blocks, for noise and stochastic rounding on a real device. */
export function secureWords(random: SecureRandom): RandomWords {
  const BLOCK_BYTES = 16_384;
  let block: Uint32Array = new Uint32Array(0);
  let at = 0;
  return {
    uint32() {
      if (at === block.length) {
        block = new Uint32Array(random.bytes(BLOCK_BYTES).buffer);
        at = 0;
      }
      return block[at++] as number;
    },
    fill(target) {
      for (let filled = 0; filled < target.length;) {
        if (at === block.length) {
          block = new Uint32Array(random.bytes(BLOCK_BYTES).buffer);
          at = 0;
        }
        const part = block.subarray(at, at + target.length - filled);
        target.set(part, filled);
        filled += part.length;
        at += part.length;
      }
    },
  };
}

/** Reproducible randomness for simulation, initial weights, sampling of negatives and tests. Never for keys. */
export type SeededRandom = Brand<
  RandomWords & {
    /** Uniform in [0, 1), 53 bits. */
    float(): number;
    /** Uniform integer in [0, bound), 1 ≤ bound ≤ 2³², without modulo bias. */
    int(bound: number): number;
    /** Standard normal (Marsaglia polar); for initial weights and synthetic data, never for privacy. */
    normal(): number;
    /** A stream of its own, determined by this one's seed and `labels`, whatever was drawn so far. */
    fork(...labels: readonly (string | number)[]): SeededRandom;
  },
  'SeededRandom'
>;

/** Spreads a string over 128 bits (FNV-1a lanes, then a murmur finaliser); deterministic, not cryptographic. */
function seedState(text: string): [number, number, number, number] {
  const lanes: [number, number, number, number] = [0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35];
  for (let i = 0; i < text.length; i++) {
    for (let lane = 0; lane < 4; lane++) {
      lanes[lane] =
        Math.imul((lanes[lane] as number) ^ (text.charCodeAt(i) + lane * 0x101), 0x01000193) >>> 0;
    }
  }
  return lanes.map((lane) => {
    let h = lane;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  }) as [number, number, number, number];
}

/**
 * A seeded stream (sfc32, 128-bit state).
 * @param seed any string or finite number; equal seeds give equal streams on every platform.
 * @see PractRand, Chris Doty-Humphrey: sfc32.
 */
export function seededRandom(seed: string | number): SeededRandom {
  if (typeof seed === 'number' && !Number.isFinite(seed))
    throw new UsageError(`seed is ${seed}; a finite number is needed`);
  return new Sfc32(String(seed)) as unknown as SeededRandom;
}

/** A class and not closures: a simulation makes several streams for each client of a round. */
class Sfc32 {
  // Signed state: V8 keeps 32-bit integers as they are, and puts larger numbers on the heap.
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(private readonly name: string) {
    const [a, b, c, counter] = seedState(name);
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    this.#counter = counter | 0;
    for (let i = 0; i < 15; i++) this.uint32();
  }

  uint32(): number {
    const t = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  fill(target: Uint32Array): void {
    // Each sum cut to 32 bits on its own stays an integer in V8: 1.4 ns a word, and 4.9 with sums of three.
    let x = this.#a | 0;
    let y = this.#b | 0;
    let z = this.#c | 0;
    let n = this.#counter | 0;
    for (let i = 0; i < target.length; i++) {
      const t = (((x + y) | 0) + n) | 0;
      n = (n + 1) | 0;
      x = y ^ (y >>> 9);
      y = (z + (z << 3)) | 0;
      z = (((z << 21) | (z >>> 11)) + t) | 0;
      target[i] = t;
    }
    [this.#a, this.#b, this.#c, this.#counter] = [x, y, z, n];
  }

  float(): number {
    return ((this.uint32() >>> 5) * 67_108_864 + (this.uint32() >>> 6)) / 9_007_199_254_740_992;
  }

  int(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 4_294_967_296) {
      throw new UsageError(`bound is ${bound}; an integer from 1 to 2^32 is needed`);
    }
    const limit = 4_294_967_296 - (4_294_967_296 % bound);
    let word = this.uint32();
    while (word >= limit) word = this.uint32();
    return word % bound;
  }

  normal(): number {
    for (;;) {
      const u = 2 * this.float() - 1;
      const v = 2 * this.float() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) return u * Math.sqrt((-2 * Math.log(s)) / s);
    }
  }

  fork(...labels: readonly (string | number)[]): SeededRandom {
    return seededRandom(`${this.name}/${labels.join('/')}`);
  }
}
