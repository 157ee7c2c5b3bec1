import { CHACHA20_WASM } from './chacha20-wasm.gen.ts';
import { fromPackedText } from '@tutti/base';

/** One mask: the ChaCha20 stream of a 32-byte seed, added (1) or taken away (−1). */
export interface MaskStream {
  readonly seed: Uint8Array;
  readonly sign: 1 | -1;
}

/** Adds (or takes away) the ChaCha20 stream of a 32-byte seed to `target`, word by word, modulo 2³², in place. */
export type AddKeystream = (target: Uint32Array, seed: Uint8Array, sign: 1 | -1) => void;

/** The same for several streams, block by block of the target, so that a block is in the cache for all of them. */
export type AddKeystreams = (target: Uint32Array, streams: readonly MaskStream[]) => void;

/** One way to make the stream. All are bit-identical; they differ in speed. */
export interface KeystreamGenerator {
  readonly name: 'typescript' | 'wasm' | 'node';
  readonly add: AddKeystream;
  readonly addAll: AddKeystreams;
}

/** A generator from its way to add several streams. */
export function keystreamGenerator(
  name: KeystreamGenerator['name'],
  addAll: AddKeystreams,
): KeystreamGenerator {
  return { name, addAll, add: (target, seed, sign) => addAll(target, [{ seed, sign }]) };
}

/** What assembly/chacha20.ts exports. */
interface Chacha20Exports {
  readonly memory: WebAssembly.Memory;
  readonly CHUNK_WORDS: WebAssembly.Global;
  readonly TARGET_OFFSET: WebAssembly.Global;
  readonly SOURCE_OFFSET: WebAssembly.Global;
  addStream(words: number, counter: number, minus: number): void;
  addSource(words: number, minus: number): void;
  wipe(): void;
}

const BLOCK_WORDS = 16;

/** A block of a target in the module's memory, to which streams are added there. */
export interface WasmBlock {
  /** Most words of a block; a multiple of 16. */
  readonly words: number;
  /** Copies `target` in, lets `work` add to it, copies it out. */
  with(target: Uint32Array, work: () => void): void;
  /** Adds the stream of `seed` from its 64-byte block `counter` on. */
  addStream(seed: Uint8Array, words: number, counter: number, sign: 1 | -1): void;
  /** Adds words that were made elsewhere: little-endian bytes, as many as the block has. */
  addBytes(bytes: Uint8Array, sign: 1 | -1): void;
  /** Forgets everything that was in it. */
  wipe(): void;
}

/**
 * Opens the WebAssembly SIMD module; it is inlined and takes two pages of memory.
 * @returns undefined where the platform has no WebAssembly SIMD, or where a content policy forbids WebAssembly.
 */
export function openWasmBlock(): WasmBlock | undefined {
  let exports: Chacha20Exports;
  try {
    const module = new WebAssembly.Module(fromPackedText(CHACHA20_WASM));
    exports = new WebAssembly.Instance(module).exports as unknown as Chacha20Exports;
  } catch {
    return undefined;
  }
  const source = exports.SOURCE_OFFSET.value as number;
  const offset = (exports.TARGET_OFFSET.value as number) / 4;
  const bytes = new Uint8Array(exports.memory.buffer);
  const words = new Uint32Array(exports.memory.buffer);
  const minus = (sign: 1 | -1): number => (sign === 1 ? 0 : 1);
  return {
    words: exports.CHUNK_WORDS.value as number,
    with(target, work) {
      words.set(target, offset);
      work();
      target.set(words.subarray(offset, offset + target.length));
    },
    addStream(seed, length, counter, sign) {
      bytes.set(seed.subarray(0, 32));
      exports.addStream(length, counter, minus(sign));
    },
    addBytes(made, sign) {
      bytes.set(made, source);
      exports.addSource(made.length / 4, minus(sign));
    },
    wipe: () => exports.wipe(),
  };
}

/** Calls `work` for each block of at most `words` words of `target`, with its first word's index. */
export function eachBlock(
  target: Uint32Array,
  words: number,
  work: (part: Uint32Array, at: number) => void,
): void {
  for (let at = 0; at < target.length; at += words) work(target.subarray(at, at + words), at);
}

/** The stream through WebAssembly SIMD, four blocks at a time; undefined where there is no WebAssembly SIMD. */
export function wasmKeystream(): KeystreamGenerator | undefined {
  const block = openWasmBlock();
  if (block === undefined) return undefined;
  return keystreamGenerator('wasm', (target, streams) => {
    eachBlock(target, block.words, (part, at) =>
      block.with(part, () => {
        for (const { seed, sign } of streams) block.addStream(seed, part.length, at / BLOCK_WORDS, sign);
      }),
    );
    block.wipe();
  });
}

/** A stream whose generator is opened when it is first asked for. */
export function openedKeystream(open: () => KeystreamGenerator): {
  readonly addKeystream: AddKeystream;
  readonly addKeystreams: AddKeystreams;
} {
  let opened: KeystreamGenerator | undefined;
  const addKeystreams: AddKeystreams = (target, streams) => (opened ??= open()).addAll(target, streams);
  return { addKeystreams, addKeystream: (target, seed, sign) => addKeystreams(target, [{ seed, sign }]) };
}
