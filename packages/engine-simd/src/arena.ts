import { EnvironmentError } from '@tutti/base';
import { MOST_BYTES, type Address } from './kernel.ts';

/** Hands out places in a kernel's memory, one behind the other, 16 bytes apart at least. */
export interface Arena {
  /** Room for `count` numbers of `size` bytes (4 where it is left out). */
  take(count: number, size?: number): Address;
  /** Where the next one would stand. */
  readonly end: Address;
}

/** Some bytes at the beginning stay free for the kernel's constants; a place of 0 is a mistake. */
const FIRST = 96;

/**
 * An arena from `start` on.
 * @throws {EnvironmentError} from `take`, where 4 GiB are not enough.
 */
export function arena(start: Address = FIRST): Arena {
  let end = start;
  return {
    take(count, size = 4) {
      const at = end;
      // A pair of vectors may be read up to 28 bytes beyond the last number.
      end += Math.ceil((count * size) / 16) * 16 + 32;
      if (end > MOST_BYTES)
        throw new EnvironmentError(`the model takes ${end} bytes; WebAssembly has ${MOST_BYTES}`);
      return at;
    },
    get end() {
      return end;
    },
  };
}

/** `count` rounded up to whole pairs of vectors of four. */
export const padded = (count: number): number => Math.ceil(count / 8) * 8;
