import { roundConstants } from './sha512-constants.ts';

/**
 * SHA-512 (FIPS 180-4) block by block, with tweetnacl's name and arguments: 64-bit words as two halves of 32 bits. tweetnacl's own is
 * unrolled, and 1.4 KB more of what a page loads after gzip; this takes as long for 100 bytes, and four fifths of it for 100 KB.
 */

/** The round constants as halves, high and low. */
function halves(constants: BigUint64Array): Int32Array {
  const half = (constant: bigint): number => Number(BigInt.asIntN(32, constant));
  return Int32Array.from([...constants].flatMap((constant) => [half(constant >> 32n), half(constant)]));
}

let constants: Int32Array | undefined;

/** What the low halves of a sum carry into the high ones. */
const carry = (low: number): number => (low / 2 ** 32) | 0;

/**
 * Takes the whole blocks of `m` into the state.
 * @param hh high halves of the eight words of the state, changed in place; `hl` the low ones.
 * @returns how many bytes of the `n` are left over.
 */
export function hashBlocks(hh: Int32Array, hl: Int32Array, m: Uint8Array, n: number): number {
  const k = (constants ??= halves(roundConstants()));
  const wh = new Int32Array(80);
  const wl = new Int32Array(80);
  for (let from = 0; n >= 128; n -= 128, from += 128) {
    expand(wh, wl, m, from);
    compress(hh, hl, wh, wl, k);
  }
  wh.fill(0);
  wl.fill(0);
  return n;
}

/** A word that is known to be there. */
const at = (words: Int32Array, index: number): number => words[index] as number;

/** The message schedule (6.4.2, step 1). */
function expand(wh: Int32Array, wl: Int32Array, m: Uint8Array, from: number): void {
  const view = new DataView(m.buffer, m.byteOffset + from);
  for (let t = 0; t < 16; t++) {
    wh[t] = view.getInt32(8 * t);
    wl[t] = view.getInt32(8 * t + 4);
  }
  for (let t = 16; t < 80; t++) {
    const h = at(wh, t - 15);
    const l = at(wl, t - 15);
    const i = at(wh, t - 2);
    const j = at(wl, t - 2);
    const low =
      (at(wl, t - 16) >>> 0) +
      (at(wl, t - 7) >>> 0) +
      (((l >>> 1) ^ (h << 31) ^ (l >>> 8) ^ (h << 24) ^ (l >>> 7) ^ (h << 25)) >>> 0) +
      (((j >>> 19) ^ (i << 13) ^ (i >>> 29) ^ (j << 3) ^ (j >>> 6) ^ (i << 26)) >>> 0);
    wl[t] = low;
    wh[t] =
      at(wh, t - 16) +
      at(wh, t - 7) +
      ((h >>> 1) ^ (l << 31) ^ (h >>> 8) ^ (l << 24) ^ (h >>> 7)) +
      ((i >>> 19) ^ (j << 13) ^ (j >>> 29) ^ (i << 3) ^ (i >>> 6)) +
      carry(low);
  }
}

/** The eighty rounds (6.4.2, steps 2 to 4): words a to h, each in its high and low half. */
function compress(hh: Int32Array, hl: Int32Array, wh: Int32Array, wl: Int32Array, k: Int32Array): void {
  let ah = at(hh, 0);
  let al = at(hl, 0);
  let bh = at(hh, 1);
  let bl = at(hl, 1);
  let ch = at(hh, 2);
  let cl = at(hl, 2);
  let dh = at(hh, 3);
  let dl = at(hl, 3);
  let eh = at(hh, 4);
  let el = at(hl, 4);
  let fh = at(hh, 5);
  let fl = at(hl, 5);
  let gh = at(hh, 6);
  let gl = at(hl, 6);
  let hi = at(hh, 7);
  let lo = at(hl, 7);
  for (let t = 0; t < 80; t++) {
    let low =
      (lo >>> 0) +
      (((el >>> 14) ^ (eh << 18) ^ (el >>> 18) ^ (eh << 14) ^ (eh >>> 9) ^ (el << 23)) >>> 0) +
      (((el & fl) ^ (~el & gl)) >>> 0) +
      (at(k, 2 * t + 1) >>> 0) +
      (at(wl, t) >>> 0);
    let high =
      (hi +
        ((eh >>> 14) ^ (el << 18) ^ (eh >>> 18) ^ (el << 14) ^ (el >>> 9) ^ (eh << 23)) +
        ((eh & fh) ^ (~eh & gh)) +
        at(k, 2 * t) +
        at(wh, t) +
        carry(low)) |
      0;
    hi = gh;
    lo = gl;
    gh = fh;
    gl = fl;
    fh = eh;
    fl = el;
    low >>>= 0;
    el = (dl >>> 0) + low;
    eh = (dh + high + carry(el)) | 0;
    el |= 0;
    low +=
      (((al >>> 28) ^ (ah << 4) ^ (ah >>> 2) ^ (al << 30) ^ (ah >>> 7) ^ (al << 25)) >>> 0) +
      (((al & bl) ^ (al & cl) ^ (bl & cl)) >>> 0);
    high +=
      ((ah >>> 28) ^ (al << 4) ^ (al >>> 2) ^ (ah << 30) ^ (al >>> 7) ^ (ah << 25)) +
      ((ah & bh) ^ (ah & ch) ^ (bh & ch)) +
      carry(low);
    dh = ch;
    dl = cl;
    ch = bh;
    cl = bl;
    bh = ah;
    bl = al;
    ah = high | 0;
    al = low | 0;
  }
  add(hh, hl, 0, ah, al);
  add(hh, hl, 1, bh, bl);
  add(hh, hl, 2, ch, cl);
  add(hh, hl, 3, dh, dl);
  add(hh, hl, 4, eh, el);
  add(hh, hl, 5, fh, fl);
  add(hh, hl, 6, gh, gl);
  add(hh, hl, 7, hi, lo);
}

function add(hh: Int32Array, hl: Int32Array, index: number, high: number, low: number): void {
  const sum = (at(hl, index) >>> 0) + (low >>> 0);
  hl[index] = sum;
  hh[index] = at(hh, index) + high + carry(sum);
}
