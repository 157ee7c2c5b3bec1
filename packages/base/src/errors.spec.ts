import { describe, expect, it } from 'vitest';
import { DecodeError, EnvironmentError, FederatedError, InternalError, UsageError } from './errors.ts';

const ERRORS = [
  [new UsageError('k is 0; at least 1 is needed'), 'UsageError', 'usage/invalid-argument', 'caller'],
  [new DecodeError('hello.task', 'is missing'), 'DecodeError', 'decode/invalid', 'peer'],
  [new EnvironmentError('the disk is full'), 'EnvironmentError', 'environment/failed', 'environment'],
  [new InternalError('a phase was left twice'), 'InternalError', 'internal/invariant', 'internal'],
] as const;

describe.each(ERRORS)('%s', (error, name, code, fault) => {
  it('says its name, its stable code and whose fault it is', () => {
    expect(error).toBeInstanceOf(FederatedError);
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code, error.fault]).toEqual([name, code, fault]);
  });
});

it('a DecodeError repeats its field and problem for code, and keeps the cause', () => {
  const cause = new SyntaxError('Unexpected token');
  const error = new DecodeError('header', 'is not JSON', { cause });
  expect(error.message).toBe('header: is not JSON');
  expect([error.field, error.problem, error.cause]).toEqual(['header', 'is not JSON', cause]);
});

it('codes differ, so that a program can tell the errors apart', () => {
  expect(new Set(ERRORS.map(([error]) => error.code)).size).toBe(ERRORS.length);
});
