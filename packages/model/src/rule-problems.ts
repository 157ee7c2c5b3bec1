import type { Rule } from '@tutti/base';

/** What is wrong with a field by its rule: a line, or nothing. */
export const ruleProblems = (path: string, value: unknown, [fits, words]: Rule): string[] =>
  fits(value) ? [] : [`${path}: ${String(value)} is not ${words}`];
