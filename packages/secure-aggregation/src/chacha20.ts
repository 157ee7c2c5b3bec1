/**
 * ChaCha20 (RFC 8439) as the mask stream: 256-bit key, zero nonce, counter from 0. Each keystream word is added straight
 * into the accumulator modulo 2³², so that no keystream is ever held.
 *
 * @param target the accumulator; changed in place, length arbitrary.
 * @param key 32 bytes.
 * @param sign 1 adds the stream, −1 takes it away.
 */
export function addChaCha20(target: Uint32Array, key: Uint8Array, sign: 1 | -1): void {
  const view = new DataView(key.buffer, key.byteOffset, 32);
  const k0 = view.getInt32(0, true);
  const k1 = view.getInt32(4, true);
  const k2 = view.getInt32(8, true);
  const k3 = view.getInt32(12, true);
  const k4 = view.getInt32(16, true);
  const k5 = view.getInt32(20, true);
  const k6 = view.getInt32(24, true);
  const k7 = view.getInt32(28, true);
  const block = new Int32Array(16);
  const words = target.length;
  for (let counter = 0, at = 0; at < words; counter++, at += 16) {
    let x0 = 0x61707865;
    let x1 = 0x3320646e;
    let x2 = 0x79622d32;
    let x3 = 0x6b206574;
    let x4 = k0;
    let x5 = k1;
    let x6 = k2;
    let x7 = k3;
    let x8 = k4;
    let x9 = k5;
    let x10 = k6;
    let x11 = k7;
    let x12 = counter | 0;
    let x13 = 0;
    let x14 = 0;
    let x15 = 0;
    for (let round = 0; round < 10; round++) {
      x0 = (x0 + x4) | 0;
      x12 ^= x0;
      x12 = (x12 << 16) | (x12 >>> 16);
      x8 = (x8 + x12) | 0;
      x4 ^= x8;
      x4 = (x4 << 12) | (x4 >>> 20);
      x0 = (x0 + x4) | 0;
      x12 ^= x0;
      x12 = (x12 << 8) | (x12 >>> 24);
      x8 = (x8 + x12) | 0;
      x4 ^= x8;
      x4 = (x4 << 7) | (x4 >>> 25);
      x1 = (x1 + x5) | 0;
      x13 ^= x1;
      x13 = (x13 << 16) | (x13 >>> 16);
      x9 = (x9 + x13) | 0;
      x5 ^= x9;
      x5 = (x5 << 12) | (x5 >>> 20);
      x1 = (x1 + x5) | 0;
      x13 ^= x1;
      x13 = (x13 << 8) | (x13 >>> 24);
      x9 = (x9 + x13) | 0;
      x5 ^= x9;
      x5 = (x5 << 7) | (x5 >>> 25);
      x2 = (x2 + x6) | 0;
      x14 ^= x2;
      x14 = (x14 << 16) | (x14 >>> 16);
      x10 = (x10 + x14) | 0;
      x6 ^= x10;
      x6 = (x6 << 12) | (x6 >>> 20);
      x2 = (x2 + x6) | 0;
      x14 ^= x2;
      x14 = (x14 << 8) | (x14 >>> 24);
      x10 = (x10 + x14) | 0;
      x6 ^= x10;
      x6 = (x6 << 7) | (x6 >>> 25);
      x3 = (x3 + x7) | 0;
      x15 ^= x3;
      x15 = (x15 << 16) | (x15 >>> 16);
      x11 = (x11 + x15) | 0;
      x7 ^= x11;
      x7 = (x7 << 12) | (x7 >>> 20);
      x3 = (x3 + x7) | 0;
      x15 ^= x3;
      x15 = (x15 << 8) | (x15 >>> 24);
      x11 = (x11 + x15) | 0;
      x7 ^= x11;
      x7 = (x7 << 7) | (x7 >>> 25);
      x0 = (x0 + x5) | 0;
      x15 ^= x0;
      x15 = (x15 << 16) | (x15 >>> 16);
      x10 = (x10 + x15) | 0;
      x5 ^= x10;
      x5 = (x5 << 12) | (x5 >>> 20);
      x0 = (x0 + x5) | 0;
      x15 ^= x0;
      x15 = (x15 << 8) | (x15 >>> 24);
      x10 = (x10 + x15) | 0;
      x5 ^= x10;
      x5 = (x5 << 7) | (x5 >>> 25);
      x1 = (x1 + x6) | 0;
      x12 ^= x1;
      x12 = (x12 << 16) | (x12 >>> 16);
      x11 = (x11 + x12) | 0;
      x6 ^= x11;
      x6 = (x6 << 12) | (x6 >>> 20);
      x1 = (x1 + x6) | 0;
      x12 ^= x1;
      x12 = (x12 << 8) | (x12 >>> 24);
      x11 = (x11 + x12) | 0;
      x6 ^= x11;
      x6 = (x6 << 7) | (x6 >>> 25);
      x2 = (x2 + x7) | 0;
      x13 ^= x2;
      x13 = (x13 << 16) | (x13 >>> 16);
      x8 = (x8 + x13) | 0;
      x7 ^= x8;
      x7 = (x7 << 12) | (x7 >>> 20);
      x2 = (x2 + x7) | 0;
      x13 ^= x2;
      x13 = (x13 << 8) | (x13 >>> 24);
      x8 = (x8 + x13) | 0;
      x7 ^= x8;
      x7 = (x7 << 7) | (x7 >>> 25);
      x3 = (x3 + x4) | 0;
      x14 ^= x3;
      x14 = (x14 << 16) | (x14 >>> 16);
      x9 = (x9 + x14) | 0;
      x4 ^= x9;
      x4 = (x4 << 12) | (x4 >>> 20);
      x3 = (x3 + x4) | 0;
      x14 ^= x3;
      x14 = (x14 << 8) | (x14 >>> 24);
      x9 = (x9 + x14) | 0;
      x4 ^= x9;
      x4 = (x4 << 7) | (x4 >>> 25);
    }
    block[0] = (x0 + 0x61707865) | 0;
    block[1] = (x1 + 0x3320646e) | 0;
    block[2] = (x2 + 0x79622d32) | 0;
    block[3] = (x3 + 0x6b206574) | 0;
    block[4] = (x4 + k0) | 0;
    block[5] = (x5 + k1) | 0;
    block[6] = (x6 + k2) | 0;
    block[7] = (x7 + k3) | 0;
    block[8] = (x8 + k4) | 0;
    block[9] = (x9 + k5) | 0;
    block[10] = (x10 + k6) | 0;
    block[11] = (x11 + k7) | 0;
    block[12] = (x12 + counter) | 0;
    block[13] = x13;
    block[14] = x14;
    block[15] = x15;
    const end = Math.min(16, words - at);
    if (sign === 1)
      for (let i = 0; i < end; i++) target[at + i] = (target[at + i] as number) + (block[i] as number);
    else for (let i = 0; i < end; i++) target[at + i] = (target[at + i] as number) - (block[i] as number);
  }
  block.fill(0);
}
