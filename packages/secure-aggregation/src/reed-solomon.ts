import { divide, multiply } from './field.ts';

/**
 * Which of `values`, points of one polynomial of degree below `threshold`, are wrong: Berlekamp–Welch. It finds every wrong
 * value as long as there are at most ⌊(m − t)/2⌋ of m; beyond that no one can tell who is wrong.
 *
 * Q(x) = y·E(x) at every point, with E monic of degree e whose roots are the wrong points and Q of degree below t + e: a linear
 * system over GF(2¹⁶), solved by elimination.
 *
 * @param points distinct x.
 * @returns positions of the wrong values, rising; undefined where there are too many.
 * @see Welch & Berlekamp, Error Correction for Algebraic Block Codes, US patent 4,633,470, 1986.
 */
export function wrongValues(
  points: readonly number[],
  values: readonly number[],
  threshold: number,
): number[] | undefined {
  const most = Math.floor((points.length - threshold) / 2);
  const unknowns = threshold + 2 * most;
  const rows = points.map((x, i) => equation(x, values[i] as number, threshold + most, most));
  const solution = solve(rows, unknowns);
  if (solution === undefined) return undefined;
  const locator = [...solution.slice(threshold + most), 1];
  const quotient = divideExactly([...solution.slice(0, threshold + most)], locator);
  if (quotient === undefined) return undefined;
  const wrong = points.flatMap((x, i) => (evaluate(quotient, x) === values[i] ? [] : [i]));
  return quotient.length <= threshold && wrong.length <= most ? wrong : undefined;
}

/** Coefficients of Q_0 … and E_0 … in y·E(x) + Q(x) = y·xᵉ, and the right-hand side. */
function equation(x: number, y: number, ofQuotient: number, ofLocator: number): Uint16Array {
  const row = new Uint16Array(ofQuotient + ofLocator + 1);
  for (let i = 0, power = 1; i < ofQuotient; i++, power = multiply(power, x)) row[i] = power;
  let power = 1;
  for (let i = 0; i < ofLocator; i++, power = multiply(power, x)) row[ofQuotient + i] = multiply(y, power);
  row[ofQuotient + ofLocator] = multiply(y, power);
  return row;
}

/** One solution of a linear system in place, free unknowns 0; undefined where there is none. */
function solve(rows: Uint16Array[], unknowns: number): Uint16Array | undefined {
  const pivots: number[] = [];
  for (let column = 0; column < unknowns && pivots.length < rows.length; column++) {
    const at = pivots.length;
    const found = rows.findIndex((row, i) => i >= at && row[column] !== 0);
    if (found < 0) continue;
    [rows[at], rows[found]] = [rows[found] as Uint16Array, rows[at] as Uint16Array];
    const pivot = rows[at];
    const scale = divide(1, pivot[column] as number);
    for (let i = column; i <= unknowns; i++) pivot[i] = multiply(pivot[i] as number, scale);
    for (const row of rows) {
      const factor = row === pivot ? 0 : (row[column] as number);
      if (factor === 0) continue;
      for (let i = column; i <= unknowns; i++)
        row[i] = (row[i] as number) ^ multiply(factor, pivot[i] as number);
    }
    pivots.push(column);
  }
  if (rows.slice(pivots.length).some((row) => row[unknowns] !== 0)) return undefined;
  const solution = new Uint16Array(unknowns);
  pivots.forEach((column, i) => (solution[column] = rows[i]?.[unknowns] as number));
  return solution;
}

/** dividend / divisor (monic), lowest power first; undefined where a remainder is left. */
function divideExactly(dividend: number[], divisor: readonly number[]): number[] | undefined {
  const quotient = new Array<number>(Math.max(1, dividend.length - divisor.length + 1)).fill(0);
  for (let at = dividend.length - divisor.length; at >= 0; at--) {
    const factor = dividend[at + divisor.length - 1] as number;
    quotient[at] = factor;
    divisor.forEach(
      (value, i) => (dividend[at + i] = (dividend[at + i] as number) ^ multiply(factor, value)),
    );
  }
  if (dividend.some((value) => value !== 0)) return undefined;
  while (quotient.length > 1 && quotient.at(-1) === 0) quotient.pop();
  return quotient;
}

function evaluate(polynomial: readonly number[], x: number): number {
  return polynomial.reduceRight((value, coefficient) => multiply(value, x) ^ coefficient, 0);
}
