/** What a value may be: a check, and the same in words. */
export type Rule = readonly [fits: (value: unknown) => boolean, words: string];

/** A number from one to another; without the other, from one on. */
export function numberFrom(least: number, most = Number.POSITIVE_INFINITY): Rule {
  const words = `a number from ${least}${most === Number.POSITIVE_INFINITY ? '' : ` to ${most}`}`;
  return [(value) => typeof value === 'number' && value >= least && value <= most, words];
}

/** The same, without fractions. */
export function wholeFrom(least: number, most?: number): Rule {
  const [fits, words] = numberFrom(least, most);
  return [(value) => Number.isInteger(value) && fits(value), words.replace('a', 'a whole')];
}

/** One of a closed list. */
export const oneOf = (names: readonly unknown[]): Rule => [
  (value) => names.includes(value),
  `one of ${names.join(', ')}`,
];

/** Yes or no. */
export const FLAG: Rule = [(value) => typeof value === 'boolean', 'true or false'];

/** Fields that are not as their rules say, with what they must be; of one that there is no rule for, without. */
export const wrongFields = (
  fields: object,
  rules: Readonly<Record<string, Rule>>,
): (readonly [name: string, value: unknown, words: string | undefined])[] =>
  Object.entries<unknown>({ ...fields }).flatMap(([name, value]) => {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    return rule?.[0](value) === true ? [] : [[name, value, rule?.[1]] as const];
  });
