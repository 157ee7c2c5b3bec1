/** SHA-512 (FIPS 180-4). The host computes the eighty round constants, and writes them to ROUND_CONSTANTS once. */

export const ROUND_CONSTANTS: usize = 0;

/** The state, eight words, which outlives a call; the message schedule, eighty; the last blocks of a message, at most two. */
const STATE: usize = 1984;
const SCHEDULE: usize = 2048;
const LAST: usize = SCHEDULE + 640;

const initial = memory.data<u64>([
  0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
  0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
]);

// @ts-ignore: decorator
@inline
function word(i: i32): u64 {
  return load<u64>(SCHEDULE + (i << 3));
}

export function hashStart(): void {
  memory.copy(STATE, initial, 64);
}

/** Takes whole blocks into the state. @param n bytes, a multiple of 128. */
export function hashBlocks(m: usize, n: i32): void {
  for (const end = m + n; m < end; m += 128) {
    for (let t = 0; t < 80; t++) {
      let w: u64;
      if (t < 16) w = bswap(load<u64>(m + (t << 3)));
      else {
        const x = word(t - 15);
        const y = word(t - 2);
        w =
          word(t - 16) + word(t - 7) + (rotr(x, 1) ^ rotr(x, 8) ^ (x >> 7)) + (rotr(y, 19) ^ rotr(y, 61) ^ (y >> 6));
      }
      store<u64>(SCHEDULE + (t << 3), w);
    }
    let a = load<u64>(STATE);
    let b = load<u64>(STATE, 8);
    let c = load<u64>(STATE, 16);
    let d = load<u64>(STATE, 24);
    let e = load<u64>(STATE, 32);
    let f = load<u64>(STATE, 40);
    let g = load<u64>(STATE, 48);
    let h = load<u64>(STATE, 56);
    for (let t = 0; t < 80; t++) {
      const t1 =
        h +
        (rotr(e, 14) ^ rotr(e, 18) ^ rotr(e, 41)) +
        ((e & f) ^ (~e & g)) +
        load<u64>(ROUND_CONSTANTS + (t << 3)) +
        word(t);
      const t2 = (rotr(a, 28) ^ rotr(a, 34) ^ rotr(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    into(0, a);
    into(8, b);
    into(16, c);
    into(24, d);
    into(32, e);
    into(40, f);
    into(48, g);
    into(56, h);
  }
}

function into(at: usize, value: u64): void {
  store<u64>(STATE + at, load<u64>(STATE + at) + value);
}

/** Takes the last `n` bytes of a message of `total`, and writes the digest. */
export function hashEnd(out: usize, m: usize, n: i32, total: i32): void {
  const rest: usize = n & 127;
  const bytes: usize = rest < 112 ? 128 : 256;
  hashBlocks(m, n & ~127);
  memory.copy(LAST, m + n - rest, rest);
  memory.fill(LAST + rest, 0, bytes - rest);
  store<u8>(LAST + rest, 128);
  store<u64>(LAST + bytes - 8, bswap((<u64>total) << 3));
  hashBlocks(LAST, <i32>bytes);
  for (let i: usize = 0; i < 64; i += 8) store<u64>(out + i, bswap(load<u64>(STATE + i)));
  memory.fill(STATE, 0, 64);
}

export function crypto_hash(out: usize, m: usize, n: i32): void {
  hashStart();
  hashEnd(out, m, n, n);
}
