/** GF(2¹⁶): addition is XOR. Tables make multiplication fast; look-ups are not constant-time. */
export const ORDER = 65_535;
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

/** l with a = xˡ, in [0, ORDER); a not 0. Products of many are sums of these modulo ORDER. */
export function logarithm(a: number): number {
  return LOG[a] as number;
}

/** xˡ, l in [0, ORDER). */
export function exponential(l: number): number {
  return EXP[l] as number;
}

/** target ^= factor · values, element by element, in place; factor not 0. One look-up of each table an element. */
export function addMultipleInPlace(target: Uint16Array, values: Uint16Array, factor: number): void {
  const log = LOG[factor] as number;
  for (let i = 0; i < target.length; i++) {
    const value = values[i] as number;
    if (value !== 0) target[i] = (target[i] as number) ^ (EXP[log + (LOG[value] as number)] as number);
  }
}

/** target = factor · target ^ values, element by element, in place; factor not 0: a step of Horner's rule. */
export function hornerStepInPlace(target: Uint16Array, values: Uint16Array, factor: number): void {
  const log = LOG[factor] as number;
  for (let i = 0; i < target.length; i++) {
    const value = target[i] as number;
    const product = value === 0 ? 0 : (EXP[log + (LOG[value] as number)] as number);
    target[i] = product ^ (values[i] as number);
  }
}
