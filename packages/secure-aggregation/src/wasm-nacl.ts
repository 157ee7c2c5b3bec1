import { fromPackedText, wipe } from '@tutti/base';
import type { Nacl } from './portable-parts.ts';
import { roundConstants } from './sha512-constants.ts';
import { TWEETNACL_WASM } from './tweetnacl-wasm.gen.ts';

/** What assembly/tweetnacl.ts exports: functions that take the addresses of bytes, and a SHA-512 that takes a message by parts. */
type Call = Exclude<keyof Nacl, 'crypto_hash'> | 'hashStart' | 'hashBlocks' | 'hashEnd';
type Exports = Readonly<Record<Call, (...places: number[]) => number>> &
  Readonly<Record<'ARGUMENTS' | 'SCRATCH' | 'ROUND_CONSTANTS', WebAssembly.Global>> & {
    readonly memory: WebAssembly.Memory;
  };

const PAGE_BYTES = 65_536;

/** Most bytes of a message that are hashed at once; whole blocks. */
const PART_BYTES = 32_768;

let opened: Exports | undefined;

/** @throws where the platform has no WebAssembly SIMD, or where a content policy forbids WebAssembly. */
function exportsOf(): Exports {
  if (opened !== undefined) return opened;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(fromPackedText(TWEETNACL_WASM)));
  opened = exports as unknown as Exports;
  new BigUint64Array(opened.memory.buffer, opened.ROUND_CONSTANTS.value as number).set(roundConstants());
  return opened;
}

/** Copies arguments in, calls, copies out the first `written` of them, and leaves nothing behind. */
function run(name: Call, written: number, ...args: readonly (Uint8Array | number)[]): number {
  const exports = exportsOf();
  const { memory } = exports;
  let end = exports.ARGUMENTS.value as number;
  const places = args.map((arg) => {
    if (typeof arg === 'number') return arg;
    const place = end;
    end += Math.ceil(arg.length / 16) * 16;
    return place;
  });
  const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
  if (missing > 0) memory.grow(missing);
  const bytes = new Uint8Array(memory.buffer);
  const each = (use: (arg: Uint8Array, place: number) => void, last: number): void => {
    for (let i = 0; i < last; i++)
      if (typeof args[i] !== 'number') use(args[i] as Uint8Array, places[i] as number);
  };
  each((arg, place) => bytes.set(arg, place), args.length);
  const result = exports[name](...places);
  each((arg, place) => arg.set(bytes.subarray(place, place + arg.length)), written);
  wipe(bytes.subarray(exports.SCRATCH.value as number, end));
  return result;
}

/**
 * tweetnacl compiled to WebAssembly SIMD: equal results, in a third of the time. It is opened when it is first used, and throws then
 * where the platform has no WebAssembly SIMD, or a content policy forbids WebAssembly.
 */
export const wasmNacl: Nacl = {
  crypto_hash(digest, message, length) {
    run('hashStart', 0);
    let from = 0;
    for (; length - from > PART_BYTES; from += PART_BYTES)
      run('hashBlocks', 0, message.subarray(from, from + PART_BYTES), PART_BYTES);
    return run('hashEnd', 1, digest, message.subarray(from, length), length - from, length);
  },
  crypto_sign_keypair: (publicKey, secretKey) => run('crypto_sign_keypair', 2, publicKey, secretKey),
  crypto_sign: (...args) => run('crypto_sign', 1, ...args),
  crypto_sign_open: (...args) => run('crypto_sign_open', 0, ...args),
  crypto_scalarmult: (...args) => run('crypto_scalarmult', 1, ...args),
  crypto_scalarmult_base: (...args) => run('crypto_scalarmult_base', 1, ...args),
  crypto_core_hsalsa20: (...args) => run('crypto_core_hsalsa20', 1, ...args),
  crypto_secretbox: (...args) => run('crypto_secretbox', 1, ...args),
  crypto_secretbox_open: (...args) => run('crypto_secretbox_open', 1, ...args),
};
