/**
 * What a device's keys and signatures take: tweetnacl's parts in JavaScript, and compiled to WebAssembly.
 *
 * `node --import ./packages/base/source.js packages/secure-aggregation/bench/nacl.bench.ts`
 */
import { lowlevel } from '../src/tweetnacl.gen.ts';
import { wasmNacl } from '../src/wasm-nacl.ts';

const TIMES = 100;

/** The least and the middle of what a call took, in milliseconds. */
function timed(call: () => void): string {
  const taken = Array.from({ length: TIMES }, () => {
    const started = performance.now();
    call();
    return performance.now() - started;
  }).sort((a, b) => a - b);
  return `least ${taken[0]?.toFixed(3)} ms, median ${taken[TIMES / 2]?.toFixed(3)} ms`;
}

const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
const message = new Uint8Array(32).fill(1);
for (const [name, nacl] of Object.entries({ JavaScript: lowlevel, WebAssembly: wasmNacl })) {
  const [publicKey, secretKey] = [new Uint8Array(32), new Uint8Array(64)];
  secretKey.set(seed);
  nacl.crypto_sign_keypair(publicKey, secretKey, true);
  const signed = new Uint8Array(96);
  nacl.crypto_sign(signed, message, message.length, secretKey);
  const out = new Uint8Array(96);
  console.log(
    name,
    'X25519',
    timed(() => nacl.crypto_scalarmult(out.subarray(0, 32), seed, seed)),
  );
  console.log(
    name,
    'sign',
    timed(() => nacl.crypto_sign(out, message, message.length, secretKey)),
  );
  console.log(
    name,
    'verify',
    timed(() => nacl.crypto_sign_open(out, signed, signed.length, publicKey)),
  );
  console.log(
    name,
    'SHA-512 of 100 bytes',
    timed(() => nacl.crypto_hash(out.subarray(0, 64), out, 96)),
  );
}
