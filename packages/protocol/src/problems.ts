import { DecodeError } from '@tutti/base';
import type * as z from 'zod/mini';

/** A peer chooses the names of unknown fields; what we repeat of them stays short enough for a `refused` reply. */
const LONGEST_NAME = 64;
const LONGEST_LIST = 240;

/**
 * The first part of `input` that a schema refused, as an error that names it.
 * @param root what the path starts with: a message type, `description`, `task`.
 */
export function firstProblem(root: string, input: unknown, error: z.core.$ZodError): DecodeError {
  const issue = error.issues[0];
  if (issue === undefined) return new DecodeError(root, 'is invalid');
  const unknownKey = issue.code === 'unrecognized_keys' ? [(issue.keys[0] ?? '').slice(0, LONGEST_NAME)] : [];
  const path = [root, ...issue.path, ...unknownKey].map(String).join('.');
  return new DecodeError(path, describe(issue, valueAt(input, issue.path)));
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return value;
}

function describe(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === 'unrecognized_keys') return 'is not a field of this message';
  if (value === undefined) return 'is missing';
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${issue.expected === 'int' ? 'an integer' : `of type ${issue.expected}`}`;
    case 'too_small':
      return `${measure(value)}; ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum} is expected`;
    case 'too_big':
      return `${measure(value)}; ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum} is expected`;
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ').slice(0, LONGEST_LIST)}`;
    case 'invalid_union':
      return 'is none of the kinds that there are';
    case 'invalid_format':
      return issue.message === 'Invalid input' ? 'does not have the form it must have' : issue.message;
    default:
      return 'is invalid';
  }
}

function measure(value: unknown): string {
  if (typeof value === 'number') return `is ${value}`;
  if (typeof value === 'string') return `has ${value.length} characters`;
  if (Array.isArray(value)) return `has ${value.length} entries`;
  return 'is out of range';
}
