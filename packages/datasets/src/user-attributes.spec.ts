import { describe, expect, it } from 'vitest';
import { parseUsersTsv, UNKNOWN_ATTRIBUTE } from './user-attributes.ts';

const table = (text: string) => ({ file: 'set.users.tsv', bytes: new TextEncoder().encode(text) });

describe('people’s attributes', () => {
  it('are read by the names of their columns, in any order of lines', () => {
    const text = 'zip\tgender\tuserId\r\n02460\tF\t3\r\n48067\tM\t0\r\n';
    expect([...parseUsersTsv(table(text), 5).gender]).toEqual([
      0,
      UNKNOWN_ATTRIBUTE,
      UNKNOWN_ATTRIBUTE,
      1,
      UNKNOWN_ATTRIBUTE,
    ]);
  });

  it.each([
    ['nothing', '', /header.*names no column userId/],
    ['no gender', 'userId\tage\n0\t3\n', /header.*names no column gender/],
    ['another gender', 'userId\tgender\n0\tX\n', /line 2.*gender.*is "?X/],
    ['a person outside the set', 'userId\tgender\n9\tM\n', /line 2.*userId.*is 9; the set has 5/],
    ['a person twice', 'userId\tgender\n1\tM\n1\tF\n', /line 3.*userId.*has a line already/],
    ['no number', 'userId\tgender\nx\tM\n', /line 2.*userId/],
    ['a line that ends early', 'userId\tgender\n1\n', /line 2.*gender.*missing/],
  ])('with %s are refused, naming the place', (_name, text, problem) =>
    expect(() => parseUsersTsv(table(text), 5)).toThrow(problem),
  );
});
