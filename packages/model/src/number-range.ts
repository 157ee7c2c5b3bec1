/** What a number of a configuration may be. */
export type NumberRange = readonly [least: number, most: number, whole?: 'whole'];

/** What is wrong with a value that is to be such a number: a line, or nothing. */
export function rangeProblems(path: string, value: unknown, [least, most, whole]: NumberRange): string[] {
  const fits =
    typeof value === 'number' &&
    value >= least &&
    value <= most &&
    (whole === undefined || Number.isInteger(value));
  return fits
    ? []
    : [
        `${path}: ${String(value)} is not a ${whole === undefined ? '' : 'whole '}number from ${least} to ${most}`,
      ];
}
