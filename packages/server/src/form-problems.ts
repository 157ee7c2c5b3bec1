import type * as z from 'zod';

/** Everything that is wrong with the form of a value from outside. */

type Issue = z.core.$ZodIssue;

/**
 * The issues of a value. Where the word is wrong that says which form the rest has (`mode`, `mechanism`, `level`), a schema alone stops there;
 * the rest then is held against the form that knows the most of its names.
 */
export function issuesOfForm(schema: z.ZodType, value: unknown): readonly Issue[] {
  const issues = schema.safeParse(value).error?.issues ?? [];
  return [...issues, ...issues.flatMap((issue) => besideWord(schema, value, issue))];
}

function besideWord(schema: z.ZodType, value: unknown, issue: Issue): readonly Issue[] {
  const { path } = issue;
  const above = path.slice(0, -1);
  const found = optionsOf(issue).map((word) => {
    const { error } = schema.safeParse(withWord(value, path, word));
    return (error?.issues ?? []).filter((one) => above.every((name, at) => one.path[at] === name));
  });
  const unfit = found.map((of) => ({ of, names: of.flatMap(unknownNames).length }));
  return unfit.sort((one, other) => one.names - other.names || one.of.length - other.of.length)[0]?.of ?? [];
}

const unknownNames = (issue: Issue): readonly string[] =>
  issue.code === 'unrecognized_keys' ? issue.keys : [];

function optionsOf(issue: Issue): readonly unknown[] {
  const isWord = issue.code === 'invalid_union' && issue.discriminator !== undefined;
  return isWord && 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
}

/** The value with another word at a path; nothing else of it is copied, and it stays as it is. */
function withWord(value: unknown, [name, ...rest]: readonly PropertyKey[], word: unknown): unknown {
  if (name === undefined) return word;
  const below = withWord((value as Readonly<Record<PropertyKey, unknown>>)[name], rest, word);
  if (!Array.isArray(value)) return { ...(value as object), [name]: below };
  return value.map((part: unknown, at) => (at === name ? below : part));
}
