/**
 * Discrete Fourier transform in place, radix 2: X_k = Σ x_n·exp(−2πi·nk/N); `sign` 1 gives the inverse without its 1/N.
 * @param re @param im real and imaginary parts, both of one length N, a power of two. Changed.
 */
export function fourierInPlace(re: Float64Array, im: Float64Array, sign: -1 | 1): void {
  const n = re.length;
  reverseBitsInPlace(re, im);
  const cosines = Float64Array.from({ length: n / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / n));
  const sines = Float64Array.from({ length: n / 2 }, (_, k) => sign * Math.sin((2 * Math.PI * k) / n));
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    const stride = n / size;
    for (let from = 0; from < n; from += size) {
      for (let k = 0; k < half; k++) {
        const [a, b] = [from + k, from + k + half];
        const c = cosines[k * stride] as number;
        const s = sines[k * stride] as number;
        const x = (re[b] as number) * c - (im[b] as number) * s;
        const y = (re[b] as number) * s + (im[b] as number) * c;
        re[b] = (re[a] as number) - x;
        im[b] = (im[a] as number) - y;
        re[a] = (re[a] as number) + x;
        im[a] = (im[a] as number) + y;
      }
    }
  }
}

function reverseBitsInPlace(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    for (const values of [re, im]) {
      const kept = values[i] as number;
      values[i] = values[j] as number;
      values[j] = kept;
    }
  }
}
