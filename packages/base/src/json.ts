import { DecodeError } from './errors.ts';

/** JSON from outside. @param field what it is, for the error. @throws {DecodeError} where it is none, or no UTF-8. */
export function parseJson(bytes: Uint8Array, field: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DecodeError(field, 'is not JSON', { cause });
  }
}
