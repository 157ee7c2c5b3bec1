/** Square matrices, row by row, of the width of an embedding: small enough that clarity counts more than speed. */

/**
 * Eigenvalues and eigenvectors (rows) of a symmetric matrix, by Jacobi's rotations. Order is not defined.
 * @param matrix width × width; not modified.
 */
export function eigenSymmetric(
  matrix: Float64Array,
  width: number,
): { values: Float64Array; vectors: Float64Array } {
  const a = matrix.slice();
  const vectors = identity(width);
  for (let sweep = 0; sweep < 50; sweep++) {
    let off = 0;
    for (let p = 0; p < width; p++)
      for (let q = p + 1; q < width; q++) {
        off += at(a, width, p, q) ** 2;
        rotateInPlace(a, vectors, width, p, q);
      }
    let diagonal = 0;
    for (let i = 0; i < width; i++) diagonal += at(a, width, i, i) ** 2;
    if (off <= 1e-26 * diagonal) break;
  }
  return { values: Float64Array.from({ length: width }, (_, i) => at(a, width, i, i)), vectors };
}

const at = (a: Float64Array, width: number, i: number, j: number): number => a[i * width + j] as number;

export function identity(width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let i = 0; i < width; i++) out[i * width + i] = 1;
  return out;
}

function rotateInPlace(a: Float64Array, vectors: Float64Array, width: number, p: number, q: number): void {
  const off = at(a, width, p, q);
  if (off === 0) return;
  const theta = (at(a, width, q, q) - at(a, width, p, p)) / (2 * off);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < width; k++) turn(a, k * width + p, k * width + q, c, s);
  for (let k = 0; k < width; k++) turn(a, p * width + k, q * width + k, c, s);
  for (let k = 0; k < width; k++) turn(vectors, p * width + k, q * width + k, c, s);
}

function turn(a: Float64Array, i: number, j: number, c: number, s: number): void {
  const [x, y] = [a[i] as number, a[j] as number];
  a[i] = c * x - s * y;
  a[j] = s * x + c * y;
}

/** Adds weight · x·yᵀ in place. */
export function addOuterInPlace(
  target: Float64Array,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  weight = 1,
): void {
  const width = y.length;
  for (let i = 0; i < x.length; i++) {
    const factor = weight * (x[i] as number);
    for (let j = 0; j < width; j++)
      target[i * width + j] = (target[i * width + j] as number) + factor * (y[j] as number);
  }
}

/** matrix · x */
export function times(matrix: Float64Array, x: ArrayLike<number>): Float64Array {
  const width = x.length;
  return Float64Array.from({ length: matrix.length / width }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += (matrix[i * width + j] as number) * (x[j] as number);
    return sum;
  });
}

/** a · b, both width × width. */
export function product(a: Float64Array, b: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let i = 0; i < width; i++)
    for (let k = 0; k < width; k++) {
      const factor = at(a, width, i, k);
      for (let j = 0; j < width; j++)
        out[i * width + j] = (out[i * width + j] as number) + factor * at(b, width, k, j);
    }
  return out;
}

/** Σ of f(eigenvalue) · v·vᵀ: a function of a symmetric matrix. */
export function spectral(matrix: Float64Array, width: number, f: (value: number) => number): Float64Array {
  const { values, vectors } = eigenSymmetric(matrix, width);
  const out = new Float64Array(width * width);
  for (let k = 0; k < width; k++) {
    const vector = vectors.subarray(k * width, (k + 1) * width);
    addOuterInPlace(out, vector, vector, f(values[k] as number));
  }
  return out;
}

/** Sum of the diagonal. */
export function trace(matrix: Float64Array, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += at(matrix, width, i, i);
  return sum;
}
