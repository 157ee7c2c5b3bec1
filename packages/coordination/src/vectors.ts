import { wipe } from '@tutti/base';

/** Bytes of vectors that are kept for uploads to come. */
const MOST_BYTES = 2 ** 24;

/**
 * The vectors that uploads are put together in. One that is done with is wiped and serves the next upload: memory that is new costs the
 * system more than all that is done with it here.
 */
export class Vectors {
  #spare: Uint32Array[] = [];

  /** A vector of zeros. @param length its words. */
  take(length: number): Uint32Array {
    // Another round's are of no more use.
    if (this.#spare[0]?.length !== length) this.#spare = [];
    return this.#spare.pop() ?? new Uint32Array(length);
  }

  /** Wipes a vector that nobody needs any more. */
  giveBack(vector: Uint32Array): void {
    wipe(vector);
    if (this.#spare[0] !== undefined && this.#spare[0].length !== vector.length) this.#spare = [];
    if ((this.#spare.length + 1) * vector.byteLength <= MOST_BYTES) this.#spare.push(vector);
  }
}
