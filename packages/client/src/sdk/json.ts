import { DecodeError } from '@tutti/base';

/** JSON in UTF-8. @throws {DecodeError} naming `field` where it is none. */
export function jsonOf(bytes: Uint8Array, field: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DecodeError(field, 'is not JSON', { cause });
  }
}
