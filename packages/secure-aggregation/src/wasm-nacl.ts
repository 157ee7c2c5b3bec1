import { TWEETNACL_WASM } from './tweetnacl-wasm.gen.ts';
import { fromPackedText, wipe } from '@tutti/base';
import type { Nacl } from './portable-parts.ts';
import { roundConstants } from './sha512-constants.ts';

/** What assembly/tweetnacl.ts exports: functions that take the addresses of bytes, and a SHA-512 that takes a message by parts. */
type Call =
  Exclude<keyof Nacl, 'crypto_hash' | 'crypto_scalarmult_base'> | 'hashStart' | 'hashBlocks' | 'hashEnd';
type Exports = Readonly<Record<Call, (...places: number[]) => number>> &
  Readonly<Record<'ARGUMENTS' | 'SCRATCH' | 'ROUND_CONSTANTS', WebAssembly.Global>> & {
    readonly memory: WebAssembly.Memory;
  };

const PAGE_BYTES = 65_536;

/** Most bytes of a message that are hashed at once; whole blocks. */
const PART_BYTES = 32_768;

/** The base point of X25519. */
const NINE = new Uint8Array(32).fill(9, 0, 1);

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
function run(name: Call, written: number, ...args: readonly (Uint8Array | number | boolean)[]): number {
  const exports = exportsOf();
  const { memory } = exports;
  let end = exports.ARGUMENTS.value as number;
  const places = args.map((arg) => {
    if (!(arg instanceof Uint8Array)) return Number(arg);
    const place = end;
    end += Math.ceil(arg.length / 16) * 16;
    return place;
  });
  const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
  if (missing > 0) memory.grow(missing);
  const bytes = new Uint8Array(memory.buffer);
  const each = (list: typeof args, use: (arg: Uint8Array, place: number) => void): void =>
    list.forEach((arg, i) => arg instanceof Uint8Array && use(arg, places[i] as number));
  each(args, (arg, place) => bytes.set(arg, place));
  const result = exports[name](...places);
  each(args.slice(0, written), (arg, place) => arg.set(bytes.subarray(place, place + arg.length)));
  wipe(bytes.subarray(exports.SCRATCH.value as number, end));
  return result;
}

const called =
  (name: Call, written: number) =>
  (...args: (Uint8Array | number | boolean)[]): number =>
    run(name, written, ...args);

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
  crypto_sign_keypair: called('crypto_sign_keypair', 2),
  crypto_sign: called('crypto_sign', 1),
  crypto_sign_open: called('crypto_sign_open', 0),
  crypto_scalarmult: called('crypto_scalarmult', 1),
  crypto_scalarmult_base: (out, scalar) => run('crypto_scalarmult', 1, out, scalar, NINE),
  crypto_core_hsalsa20: called('crypto_core_hsalsa20', 1),
  crypto_secretbox: called('crypto_secretbox', 1),
  crypto_secretbox_open: called('crypto_secretbox_open', 1),
};
