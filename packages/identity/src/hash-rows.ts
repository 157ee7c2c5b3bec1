/** Bytes of a hash. */
export const HASH_BYTES = 32;

/** A growing list of hashes in one block of memory. */
export class HashRows {
  #bytes = new Uint8Array(16 * HASH_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(row: Uint8Array): void {
    const end = (this.#length + 1) * HASH_BYTES;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(row, end - HASH_BYTES);
    this.#length++;
  }

  /** A copy of the hash at `index`, which must be there. */
  at(index: number): Uint8Array {
    return this.#bytes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }

  truncate(length: number): void {
    this.#length = Math.min(length, this.#length);
  }
}
