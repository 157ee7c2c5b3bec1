/** Σ x², in float64. Four sums, each of every fourth square: one alone would wait for each addition to end. */
export function sumOfSquares(values: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a += (values[i] as number) * (values[i] as number);
    b += (values[i + 1] as number) * (values[i + 1] as number);
    c += (values[i + 2] as number) * (values[i + 2] as number);
    d += (values[i + 3] as number) * (values[i + 3] as number);
  }
  for (let i = whole; i < values.length; i++) a += (values[i] as number) * (values[i] as number);
  return a + b + (c + d);
}

/** √Σ x²; NaN or infinite only where a number is: squares of float32 numbers do not overflow float64. */
export const l2Norm = (values: Float32Array): number => Math.sqrt(sumOfSquares(values));
