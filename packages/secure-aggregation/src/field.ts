/** GF(2¹⁶): addition is XOR. Tables make multiplication fast; look-ups are not constant-time. */
const ORDER = 65_535;
/** x¹⁶ + x¹² + x³ + x + 1, primitive over GF(2), with generator x. */
const POLYNOMIAL = 0x1100b;

const EXP = new Uint16Array(2 * ORDER);
const LOG = new Int32Array(65_536);
for (let i = 0, value = 1; i < ORDER; i++) {
  EXP[i] = EXP[i + ORDER] = value;
  LOG[value] = i;
  value <<= 1;
  if (value & 0x10000) value ^= POLYNOMIAL;
}

/** a·b. */
export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : (EXP[(LOG[a] as number) + (LOG[b] as number)] as number);
}

/** a/b, b not 0. */
export function divide(a: number, b: number): number {
  return a === 0 ? 0 : (EXP[(LOG[a] as number) + ORDER - (LOG[b] as number)] as number);
}
