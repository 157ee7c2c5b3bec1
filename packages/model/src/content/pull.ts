/**
 * The pull of what nobody touched, as numbers of the delta: the products of the person's vector with itself. A device that sent −a0·(w·h)·w for
 * every item would send nothing else, but the coordinator could not tell items that somebody touched from all others.
 */

/** Numbers that w ⊗ w is packed into: one for each pair, j not above i. */
export const pullLength = (dimension: number): number => (dimension * (dimension + 1)) / 2;

/** Writes w ⊗ w: row by row what is not above the diagonal. */
export function packPullInto(target: Float32Array, vector: Float32Array, factor: number): void {
  let at = 0;
  for (let i = 0; i < vector.length; i++)
    for (let j = 0; j <= i; j++) target[at++] = factor * (vector[i] as number) * (vector[j] as number);
}

/** The symmetric matrix, row by row, that was packed. */
export function unpackPull(packed: Float32Array, dimension: number): Float64Array {
  const matrix = new Float64Array(dimension * dimension);
  let at = 0;
  for (let i = 0; i < dimension; i++)
    for (let j = 0; j <= i; j++) {
      const value = packed[at++] as number;
      matrix[i * dimension + j] = value;
      matrix[j * dimension + i] = value;
    }
  return matrix;
}
