import { addChaCha20 } from './chacha20.ts';
import { CHACHA20_WASM } from './chacha20-wasm.gen.ts';

/** Adds (or takes away) the ChaCha20 stream of a 32-byte seed to `target`, word by word, modulo 2³², in place. */
export type AddKeystream = (target: Uint32Array, seed: Uint8Array, sign: 1 | -1) => void;

/** One way to make the stream. All are bit-identical; they differ in speed. */
export interface KeystreamGenerator {
  readonly name: 'typescript' | 'wasm' | 'node';
  readonly add: AddKeystream;
}

/** The stream in plain TypeScript, expanded and added in one pass; it runs everywhere. */
export const typescriptKeystream: KeystreamGenerator = { name: 'typescript', add: addChaCha20 };

/** What assembly/chacha20.ts exports. */
interface Chacha20Exports {
  readonly memory: WebAssembly.Memory;
  readonly CHUNK_WORDS: WebAssembly.Global;
  readonly TARGET_OFFSET: WebAssembly.Global;
  addStream(words: number, counter: number, minus: number): void;
  wipe(): void;
}

const BLOCK_WORDS = 16;

/**
 * The stream through WebAssembly SIMD, four blocks at a time; the module is inlined and takes one page of memory.
 * @returns undefined where the platform has no WebAssembly SIMD, or where a content policy forbids WebAssembly.
 */
export function wasmKeystream(): KeystreamGenerator | undefined {
  let exports: Chacha20Exports;
  try {
    const bytes = Uint8Array.from(atob(CHACHA20_WASM), (char) => char.charCodeAt(0));
    const module = new WebAssembly.Module(bytes);
    exports = new WebAssembly.Instance(module).exports as unknown as Chacha20Exports;
  } catch {
    return undefined;
  }
  const chunk = exports.CHUNK_WORDS.value as number;
  const offset = (exports.TARGET_OFFSET.value as number) / 4;
  const bytes = new Uint8Array(exports.memory.buffer);
  const words = new Uint32Array(exports.memory.buffer);
  return {
    name: 'wasm',
    add(target, seed, sign) {
      bytes.set(seed.subarray(0, 32));
      for (let at = 0; at < target.length; at += chunk) {
        const part = target.subarray(at, at + chunk);
        words.set(part, offset);
        exports.addStream(part.length, at / BLOCK_WORDS, sign === 1 ? 0 : 1);
        part.set(words.subarray(offset, offset + part.length));
      }
      exports.wipe();
    },
  };
}

/** Words of a trial, and how often each generator is tried after its first, uncounted time. */
const TRIAL_WORDS = 65_536;
const TRIALS = 5;

/** Every generator that runs here, of those that need nothing of Node. */
export function portableKeystreams(): [KeystreamGenerator, ...KeystreamGenerator[]] {
  const wasm = wasmKeystream();
  // The likely faster one first: where the clock is too coarse to tell them apart, it wins.
  return wasm === undefined ? [typescriptKeystream] : [wasm, typescriptKeystream];
}

/** The fastest of `generators` on this machine, now: some milliseconds. @param now milliseconds. */
export function fastestKeystream(
  generators: readonly [KeystreamGenerator, ...KeystreamGenerator[]],
  now: () => number = () => performance.now(),
): KeystreamGenerator {
  const target = new Uint32Array(TRIAL_WORDS);
  const seed = new Uint8Array(32);
  const timed = generators.map((generator) => {
    generator.add(target, seed, 1);
    let least = Number.POSITIVE_INFINITY;
    for (let trial = 0; trial < TRIALS; trial++) {
      const start = now();
      generator.add(target, seed, 1);
      least = Math.min(least, now() - start);
    }
    return { generator, least };
  });
  return timed.reduce((best, one) => (one.least < best.least ? one : best)).generator;
}

/** The same stream by the fastest of what `candidates` offers, chosen by measurement when it is first asked for. */
export function measuredKeystream(
  candidates: () => readonly [KeystreamGenerator, ...KeystreamGenerator[]],
): AddKeystream {
  let chosen: KeystreamGenerator | undefined;
  return (target, seed, sign) => {
    chosen ??= fastestKeystream(candidates());
    chosen.add(target, seed, sign);
  };
}
