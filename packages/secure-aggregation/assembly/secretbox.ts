/** Secretbox of TweetNaCl: XSalsa20 and Poly1305, a few hundred bytes at a time. */
import { differ } from './differ';

/** Words of Salsa20: its state, that of the round before, and that of the beginning. */
const STATE: usize = 6144;
const NEXT: usize = STATE + 64;
const BEGIN: usize = NEXT + 64;
/** Bytes: a key that belongs to one nonce, a nonce with a counter, a block of stream. */
const SUBKEY: usize = BEGIN + 64;
const COUNTER: usize = SUBKEY + 32;
const BLOCK: usize = COUNTER + 32;
/** Poly1305: seventeen bytes in as many words. */
const SUM: usize = BLOCK + 64;
const FACTOR: usize = SUM + 72;
const TERM: usize = FACTOR + 72;
const PRODUCT: usize = TERM + 72;
const TAG: usize = PRODUCT + 72;

const sigma = memory.data<u8>([101, 120, 112, 97, 110, 100, 32, 51, 50, 45, 98, 121, 116, 101, 32, 107]);

// @ts-ignore: decorator
@inline
function word(i: i32): u32 {
  return load<u32>(STATE + (i << 2));
}

/** The twenty rounds over the input, key and constant. */
function rounds(input: usize, k: usize, c: usize): void {
  for (let i = 0; i < 4; i++) {
    const at: usize = i << 2;
    store<u32>(STATE + 5 * at, load<u32>(c + at));
    store<u32>(STATE + 4 + at, load<u32>(k + at));
    store<u32>(STATE + 24 + at, load<u32>(input + at));
    store<u32>(STATE + 44 + at, load<u32>(k + at, 16));
  }
  memory.copy(BEGIN, STATE, 64);
  for (let i = 0; i < 20; i++) {
    for (let j = 0; j < 4; j++) {
      let t0 = word(5 * j);
      let t1 = word((5 * j + 4) & 15);
      let t2 = word((5 * j + 8) & 15);
      let t3 = word((5 * j + 12) & 15);
      t1 ^= rotl(t0 + t3, 7);
      t2 ^= rotl(t1 + t0, 9);
      t3 ^= rotl(t2 + t1, 13);
      t0 ^= rotl(t3 + t2, 18);
      const row = NEXT + (j << 4);
      store<u32>(row + (j << 2), t0);
      store<u32>(row + (((j + 1) & 3) << 2), t1);
      store<u32>(row + (((j + 2) & 3) << 2), t2);
      store<u32>(row + (((j + 3) & 3) << 2), t3);
    }
    memory.copy(STATE, NEXT, 64);
  }
}

export function crypto_core_hsalsa20(out: usize, input: usize, k: usize, c: usize): void {
  rounds(input, k, c);
  for (let i: usize = 0; i < 16; i += 4) {
    store<u32>(out + i, load<u32>(STATE + 5 * i));
    store<u32>(out + i, load<u32>(STATE + i, 24), 16);
  }
}

/** What XSalsa20 makes of `d` bytes: `m` with the stream, whose first 32 bytes are the key of the tag. */
function crypto_stream_xor(c: usize, m: usize, d: i32, n: usize, k: usize): void {
  crypto_core_hsalsa20(SUBKEY, n, k, sigma);
  store<u64>(COUNTER, load<u64>(n, 16));
  store<u64>(COUNTER, 0, 8);
  for (let at = 0; at < d; at++) {
    if ((at & 63) == 0) {
      rounds(COUNTER, SUBKEY, sigma);
      for (let i: usize = 0; i < 64; i += 16)
        v128.store(BLOCK + i, i32x4.add(v128.load(STATE + i), v128.load(BEGIN + i)));
      store<u64>(COUNTER, load<u64>(COUNTER, 8) + 1, 8);
    }
    store<u8>(c + at, load<u8>(m + at) ^ load<u8>(BLOCK + (at & 63)));
  }
}

// @ts-ignore: decorator
@inline
function limb(number: usize, j: i32): u32 {
  return load<u32>(number + (j << 2));
}

/** Adds the number at TERM. */
function add1305(): void {
  let u: u32 = 0;
  for (let j = 0; j < 17; j++) {
    u += limb(SUM, j) + limb(TERM, j);
    store<u32>(SUM + (j << 2), u & 255);
    u >>= 8;
  }
}

/** Carries from byte to byte of the sum at SUM, and what is above its last two bits to its begin. */
function carry(from: usize, u: u32): u32 {
  for (let j = 0; j < 16; j++) {
    u += limb(from, j);
    store<u32>(SUM + (j << 2), u & 255);
    u >>= 8;
  }
  return u + limb(from, 16);
}

function crypto_onetimeauth(out: usize, m: usize, n: i32, k: usize): void {
  memory.fill(SUM, 0, 216);
  for (let j = 0; j < 16; j++) {
    const bits = (j & 3) == 3 ? 15 : (j & 3) == 0 && j > 0 ? 252 : 255;
    store<u32>(FACTOR + (j << 2), load<u8>(k + j) & bits);
  }
  while (n > 0) {
    memory.fill(TERM, 0, 68);
    let j = 0;
    for (; j < 16 && j < n; j++) store<u32>(TERM + (j << 2), load<u8>(m + j));
    store<u32>(TERM + (j << 2), 1);
    m += j;
    n -= j;
    add1305();
    for (let i = 0; i < 17; i++) {
      let x: u32 = 0;
      for (let j = 0; j < 17; j++)
        x += limb(SUM, j) * (j <= i ? limb(FACTOR, i - j) : 320 * limb(FACTOR, i + 17 - j));
      store<u32>(PRODUCT + (i << 2), x);
    }
    const over = carry(PRODUCT, 0);
    store<u32>(SUM, over & 3, 64);
    store<u32>(SUM, carry(SUM, 5 * (over >> 2)), 64);
  }
  // The sum, or where it is not less than 2¹³⁰ − 5 what is left of it: the same to 2¹²⁸ once 5 was added and it reached bit 130.
  memory.copy(PRODUCT, SUM, 68);
  memory.fill(TERM, 0, 68);
  store<u32>(TERM, 5);
  store<u32>(TERM, 252, 64);
  add1305();
  const less = 0 - (limb(SUM, 16) >> 7);
  for (let j = 0; j < 17; j++) {
    const kept = limb(SUM, j) ^ (less & (limb(PRODUCT, j) ^ limb(SUM, j)));
    store<u32>(SUM + (j << 2), kept);
    store<u32>(TERM + (j << 2), j < 16 ? load<u8>(k + j, 16) : 0);
  }
  add1305();
  for (let j = 0; j < 16; j++) store<u8>(out + j, <u8>limb(SUM, j));
}

export function crypto_secretbox(c: usize, m: usize, d: i32, n: usize, k: usize): void {
  crypto_stream_xor(c, m, d, n, k);
  crypto_onetimeauth(c + 16, c + 32, d - 32, c);
  memory.fill(c, 0, 16);
}

export function crypto_secretbox_open(m: usize, c: usize, d: i32, n: usize, k: usize): i32 {
  // The key of the tag is the stream's begin: what it makes of nothing.
  memory.fill(m, 0, 32);
  crypto_stream_xor(m, m, 32, n, k);
  crypto_onetimeauth(TAG, c + 32, d - 32, m);
  if (differ(c + 16, TAG, 16)) return -1;
  crypto_stream_xor(m, c, d, n, k);
  memory.fill(m, 0, 32);
  return 0;
}
