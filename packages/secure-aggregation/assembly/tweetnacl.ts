/**
 * TweetNaCl (Bernstein, van Gastel, Janssen, Lange, Schwabe and Smetsers, https://tweetnacl.cr.yp.to, public domain), function by
 * function under its own names, as much of it as devices use. What differs is how a field element lies in memory, sixteen limbs of 16
 * bits in four vectors, and how two are multiplied. No branch and no address depends on a secret.
 *
 * Compiled by `npm run build:wasm -w packages/secure-aggregation` into src/tweetnacl-wasm.gen.ts.
 */
import { differ } from './differ';
import { crypto_hash } from './sha512';

export { hashBlocks, hashEnd, hashStart, ROUND_CONSTANTS } from './sha512';
export { crypto_core_hsalsa20, crypto_secretbox, crypto_secretbox_open } from './secretbox';

/** Where the host puts arguments. Below lie the round constants of SHA-512, constants from 640 on, and from SCRATCH on what is wiped. */
export const ARGUMENTS: usize = 8192;
export const SCRATCH: usize = 2048;

/** A field element: the address of its limbs. */
type Gf = usize;
/** A point in extended coordinates: four field elements. */
type Point = usize;

const GF: usize = 64;

/** The limbs of a product, 64 bits each, and the same less the prime. */
const T: usize = 3072;
const U: usize = T + 128;
/** A factor, from its last limb to its first, once as it is and once times 38. */
const E: usize = U + 128;
/** Elements of one function each, and points. */
const POWER: Gf = E + 128;
const ADDING: Gf = POWER + GF;
const LADDER: Gf = ADDING + 9 * GF;
const BASE: Point = LADDER + 7 * GF;
const P: Point = BASE + 4 * GF;
const Q: Point = P + 4 * GF;
/** Bytes: packed elements, hashes, and the numbers that are taken modulo the group order. */
const PACKED: usize = Q + 4 * GF;
const EXPANDED: usize = PACKED + 64;
const NONCE: usize = EXPANDED + 64;
const HASHED: usize = NONCE + 64;
const X: usize = HASHED + 64;

const gf0 = memory.data<i32>([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const gf1 = memory.data<i32>([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const _121665 = memory.data<i32>([0xdb41, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const curveD = memory.data<u16>([
  0x78a3, 0x1359, 0x4dca, 0x75eb, 0xd8ab, 0x4141, 0x0a4d, 0x0070, 0xe898, 0x7779, 0x4079, 0x8cc7, 0xfe73, 0x2b6f, 0x6cee, 0x5203,
]);
const baseX = memory.data<u16>([
  0xd51a, 0x8f25, 0x2d60, 0xc956, 0xa7b2, 0x9525, 0xc760, 0x692c, 0xdc5c, 0xfdd6, 0xe231, 0xc0a4, 0x53fe, 0xcd6e, 0x36d3, 0x2169,
]);
const baseY = memory.data<u16>([
  0x6658, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666,
]);
const rootOfMinusOne = memory.data<u16>([
  0xa0b0, 0x4a0e, 0x1b27, 0xc4ee, 0xe478, 0xad2f, 0x1806, 0x2f43, 0xd7a7, 0x3dfb, 0x0099, 0x2b4d, 0xdf0b, 0x4fc1, 0x2480, 0x2b83,
]);
const L = memory.data<u8>([
  0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0x10,
]);

function set25519(r: Gf, a: Gf): void {
  memory.copy(r, a, GF);
}

function A(o: Gf, a: Gf, b: Gf): void {
  for (let i: usize = 0; i < GF; i += 16) v128.store(o + i, i32x4.add(v128.load(a + i), v128.load(b + i)));
}

function Z(o: Gf, a: Gf, b: Gf): void {
  for (let i: usize = 0; i < GF; i += 16) v128.store(o + i, i32x4.sub(v128.load(a + i), v128.load(b + i)));
}

/** Swaps two elements, or several that lie one after another, where `b` is 1. */
function sel25519(p: Gf, q: Gf, b: i32, bytes: usize): void {
  const mask = i32x4.splat(-b);
  for (let i: usize = 0; i < bytes; i += 16) {
    const t = v128.and(mask, v128.xor(v128.load(p + i), v128.load(q + i)));
    v128.store(p + i, v128.xor(v128.load(p + i), t));
    v128.store(q + i, v128.xor(v128.load(q + i), t));
  }
}

/** Brings the limbs at T to 16 bits, the first of them nearly so. */
function car25519(): void {
  let carry: i64 = 0;
  for (let i: usize = 0; i < 128; i += 8) {
    const limb = load<i64>(T + i) + carry;
    store<i64>(T + i, limb & 0xffff);
    carry = limb >> 16;
  }
  store<i64>(T, load<i64>(T) + 38 * carry);
}

/** Four products of limbs of 32 bits, summed to two numbers of 64. */
// @ts-ignore: decorator
@inline
function products(a: v128, at: usize): v128 {
  const b = v128.load(at);
  return i64x2.add(i64x2.extmul_low_i32x4_s(a, b), i64x2.extmul_high_i32x4_s(a, b));
}

/** The product modulo 2²⁵⁵ − 19: what would stand behind the last limb stands 38 times before it, so each limb is one run of products. */
function M(o: Gf, a: Gf, b: Gf): void {
  for (let i: usize = 0; i < GF; i += 4) {
    const limb = load<i32>(b + i);
    store<i32>(E + 60 - i, limb);
    store<i32>(E + 124 - i, 38 * limb);
  }
  const a0 = v128.load(a);
  const a1 = v128.load(a, 16);
  const a2 = v128.load(a, 32);
  const a3 = v128.load(a, 48);
  for (let i: usize = 0; i < GF; i += 4) {
    const at = E + 60 - i;
    const sum = i64x2.add(
      i64x2.add(products(a0, at), products(a1, at + 16)),
      i64x2.add(products(a2, at + 32), products(a3, at + 48)),
    );
    store<i64>(T + 2 * i, i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1));
  }
  car25519();
  car25519();
  for (let i: usize = 0; i < GF; i += 4) store<i32>(o + i, load<i32>(T + 2 * i));
}

function S(o: Gf, a: Gf): void {
  M(o, a, a);
}

function pack25519(o: usize, n: Gf): void {
  for (let i: usize = 0; i < GF; i += 4) store<i64>(T + 2 * i, load<i32>(n + i));
  car25519();
  car25519();
  car25519();
  for (let twice = 0; twice < 2; twice++) {
    let carry: i64 = 0;
    for (let i: usize = 0; i < 128; i += 8) {
      const prime: i64 = i == 0 ? 0xffed : i == 120 ? 0x7fff : 0xffff;
      const limb = load<i64>(T + i) - prime + carry;
      store<i64>(U + i, limb & 0xffff);
      carry = limb >> 16;
    }
    // All ones where it was less than the prime.
    for (let i: usize = 0; i < 128; i += 8)
      store<i64>(T + i, (load<i64>(T + i) & carry) | (load<i64>(U + i) & ~carry));
  }
  for (let i: usize = 0; i < 32; i += 2) store<u16>(o + i, <u16>load<u32>(T + 4 * i));
}

function unpack25519(o: Gf, n: usize): void {
  for (let i: usize = 0; i < 32; i += 2) store<i32>(o + 2 * i, load<u16>(n + i));
  store<i32>(o, load<i32>(o, 60) & 0x7fff, 60);
}

/** Whether two elements are not the same. */
function neq25519(a: Gf, b: Gf): bool {
  pack25519(PACKED, a);
  pack25519(PACKED + 32, b);
  return differ(PACKED, PACKED + 32, 32);
}

function par25519(a: Gf): u32 {
  pack25519(PACKED, a);
  return load<u8>(PACKED) & 1;
}

/** To the power whose binary digits are `bits` ones and a one before them, but for two zeros. */
function power(o: Gf, a: Gf, bits: i32, zero: i32, other: i32): void {
  set25519(POWER, a);
  for (let i = bits - 1; i >= 0; i--) {
    S(POWER, POWER);
    if (i != zero && i != other) M(POWER, POWER, a);
  }
  set25519(o, POWER);
}

/** To the power of 2²⁵⁵ − 21. */
function inv25519(o: Gf, a: Gf): void {
  power(o, a, 254, 2, 4);
}

/** To the power of 2²⁵² − 3. */
function pow2523(o: Gf, a: Gf): void {
  power(o, a, 251, 1, 1);
}

/** X25519: a public key, or what two agree on. */
export function crypto_scalarmult(q: usize, n: usize, p: usize): void {
  const a = LADDER;
  const b = LADDER + GF;
  const c = LADDER + 2 * GF;
  const d = LADDER + 3 * GF;
  const e = LADDER + 4 * GF;
  const f = LADDER + 5 * GF;
  const x = LADDER + 6 * GF;
  unpack25519(x, p);
  set25519(b, x);
  set25519(a, gf1);
  set25519(d, gf1);
  set25519(c, gf0);
  for (let i = 254; i >= 0; i--) {
    // The clamped scalar: its last bit set, its first three not.
    const r = i == 254 ? 1 : i < 3 ? 0 : ((<i32>load<u8>(n + (i >> 3))) >> (i & 7)) & 1;
    sel25519(a, b, r, GF);
    sel25519(c, d, r, GF);
    A(e, a, c);
    Z(a, a, c);
    A(c, b, d);
    Z(b, b, d);
    S(d, e);
    S(f, a);
    M(a, c, a);
    M(c, b, e);
    A(e, a, c);
    Z(a, a, c);
    S(b, a);
    Z(c, d, f);
    M(a, c, _121665);
    A(a, a, d);
    M(c, c, a);
    M(a, d, f);
    M(d, b, x);
    S(b, e);
    sel25519(a, b, r, GF);
    sel25519(c, d, r, GF);
  }
  inv25519(c, c);
  M(a, a, c);
  pack25519(q, a);
}

function add(p: Point, q: Point): void {
  const a = ADDING;
  const b = ADDING + GF;
  const c = ADDING + 2 * GF;
  const d = ADDING + 3 * GF;
  const e = ADDING + 4 * GF;
  const f = ADDING + 5 * GF;
  const g = ADDING + 6 * GF;
  const h = ADDING + 7 * GF;
  const t = ADDING + 8 * GF;
  Z(a, p + GF, p);
  Z(t, q + GF, q);
  M(a, a, t);
  A(b, p, p + GF);
  A(t, q, q + GF);
  M(b, b, t);
  M(c, p + 3 * GF, q + 3 * GF);
  unpack25519(t, curveD);
  M(c, c, t);
  A(c, c, c);
  M(d, p + 2 * GF, q + 2 * GF);
  A(d, d, d);
  Z(e, b, a);
  Z(f, d, c);
  A(g, d, c);
  A(h, b, a);
  M(p, e, f);
  M(p + GF, h, g);
  M(p + 2 * GF, g, f);
  M(p + 3 * GF, e, h);
}

function pack(r: usize, p: Point): void {
  const zi = ADDING;
  inv25519(zi, p + 2 * GF);
  M(p, p, zi);
  M(p + GF, p + GF, zi);
  pack25519(r, p + GF);
  const parity = par25519(p);
  store<u8>(r, load<u8>(r, 31) ^ (parity << 7), 31);
}

function scalarmult(p: Point, q: Point, s: usize): void {
  set25519(p, gf0);
  set25519(p + GF, gf1);
  set25519(p + 2 * GF, gf1);
  set25519(p + 3 * GF, gf0);
  for (let i = 255; i >= 0; i--) {
    const b = ((<i32>load<u8>(s + (i >> 3))) >> (i & 7)) & 1;
    sel25519(p, q, b, 4 * GF);
    add(q, p);
    add(p, p);
    sel25519(p, q, b, 4 * GF);
  }
}

function scalarbase(p: Point, s: usize): void {
  const q = BASE;
  unpack25519(q, baseX);
  unpack25519(q + GF, baseY);
  set25519(q + 2 * GF, gf1);
  M(q + 3 * GF, q, q + GF);
  scalarmult(p, q, s);
}

/** The 64 numbers at X modulo the group order, as 32 bytes. */
function modL(r: usize): void {
  let carry: i64;
  for (let i: usize = 63; i >= 32; i--) {
    carry = 0;
    const top = load<i64>(X + 8 * i);
    let j = i - 32;
    for (; j < i - 12; j++) {
      const x = load<i64>(X + 8 * j) + carry - 16 * top * load<u8>(L + j - (i - 32));
      carry = (x + 128) >> 8;
      store<i64>(X + 8 * j, x - (carry << 8));
    }
    store<i64>(X + 8 * j, load<i64>(X + 8 * j) + carry);
  }
  carry = 0;
  const top = load<i64>(X + 8 * 31) >> 4;
  for (let j: usize = 0; j < 32; j++) {
    const x = load<i64>(X + 8 * j) + carry - top * load<u8>(L + j);
    carry = x >> 8;
    store<i64>(X + 8 * j, x & 255);
  }
  let over: i64 = 0;
  for (let j: usize = 0; j < 32; j++) {
    const x = load<i64>(X + 8 * j) - carry * load<u8>(L + j) + over;
    over = x >> 8;
    store<u8>(r + j, <u8>x);
  }
}

function reduce(r: usize): void {
  for (let i: usize = 0; i < 64; i++) store<i64>(X + 8 * i, load<u8>(r + i));
  modL(r);
}

/** The clamped scalar of a seed, and what follows it. */
function expand(d: usize, seed: usize): void {
  crypto_hash(d, seed, 32);
  store<u8>(d, load<u8>(d) & 248);
  store<u8>(d, (load<u8>(d, 31) & 127) | 64, 31);
}

export function crypto_sign_keypair(pk: usize, sk: usize): void {
  expand(EXPANDED, sk);
  scalarbase(P, EXPANDED);
  pack(pk, P);
  memory.copy(sk + 32, pk, 32);
}

/** @param sm where the signature goes, and room for the message after it. */
export function crypto_sign(sm: usize, m: usize, n: i32, sk: usize): void {
  memory.copy(sm + 64, m, n);
  expand(EXPANDED, sk);
  memory.copy(sm + 32, EXPANDED + 32, 32);
  crypto_hash(NONCE, sm + 32, n + 32);
  reduce(NONCE);
  scalarbase(P, NONCE);
  pack(sm, P);
  memory.copy(sm + 32, sk + 32, 32);
  crypto_hash(HASHED, sm, n + 64);
  reduce(HASHED);
  for (let i: usize = 0; i < 64; i++) store<i64>(X + 8 * i, i < 32 ? load<u8>(NONCE + i) : 0);
  for (let i: usize = 0; i < 32; i++)
    for (let j: usize = 0; j < 32; j++) {
      const at = X + 8 * (i + j);
      store<i64>(at, load<i64>(at) + <i64>load<u8>(HASHED + i) * load<u8>(EXPANDED + j));
    }
  modL(sm + 32);
}

/** The point of a public key, negated. @returns whether there is one. */
function unpackneg(r: Point, p: usize): bool {
  const t = ADDING;
  const chk = ADDING + GF;
  const num = ADDING + 2 * GF;
  const den = ADDING + 3 * GF;
  const den2 = ADDING + 4 * GF;
  const den4 = ADDING + 5 * GF;
  const den6 = ADDING + 6 * GF;
  set25519(r + 2 * GF, gf1);
  unpack25519(r + GF, p);
  S(num, r + GF);
  unpack25519(t, curveD);
  M(den, num, t);
  Z(num, num, r + 2 * GF);
  A(den, r + 2 * GF, den);
  S(den2, den);
  S(den4, den2);
  M(den6, den4, den2);
  M(t, den6, num);
  M(t, t, den);
  pow2523(t, t);
  M(t, t, num);
  M(t, t, den);
  M(t, t, den);
  M(r, t, den);
  S(chk, r);
  M(chk, chk, den);
  if (neq25519(chk, num)) {
    unpack25519(t, rootOfMinusOne);
    M(r, r, t);
  }
  S(chk, r);
  M(chk, chk, den);
  if (neq25519(chk, num)) return false;
  if (par25519(r) == load<u8>(p, 31) >> 7) Z(r, gf0, r);
  M(r + 3 * GF, r, r + GF);
  return true;
}

/** 0 where the signature is that of the message which follows it, else −1. */
export function crypto_sign_open(m: usize, sm: usize, n: i32, pk: usize): i32 {
  if (!unpackneg(Q, pk)) return -1;
  memory.copy(m, sm, n);
  memory.copy(m + 32, pk, 32);
  crypto_hash(HASHED, m, n);
  reduce(HASHED);
  scalarmult(P, Q, HASHED);
  scalarbase(Q, sm + 32);
  add(P, Q);
  pack(EXPANDED, P);
  return differ(sm, EXPANDED, 32) ? -1 : 0;
}
