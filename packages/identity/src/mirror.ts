import { equalBytes, fromHex } from '@tutti/base';
import type { IdentityCrypto } from './crypto.ts';
import { IdentityError } from './errors.ts';
import { checkTreeHead, logEntry, logHash, type TreeHead } from './log.ts';
import { MerkleTree } from './merkle.ts';

/** A copy of an authority's log that can prove what it holds: what a coordinator relays, and what an auditor follows. */
export class LogMirror {
  readonly #tree: MerkleTree;
  #head: TreeHead | undefined;

  /** @param authority the authority's public key, 32 bytes. */
  constructor(
    private readonly authority: Uint8Array,
    private readonly crypto: IdentityCrypto,
  ) {
    this.#tree = new MerkleTree(logHash(crypto));
  }

  /** The newest head that the copy was held against; undefined before the first. */
  get head(): TreeHead | undefined {
    return this.#head;
  }

  /** Entries copied so far. */
  get size(): number {
    return this.#tree.size;
  }

  /**
   * Takes the entries that `head` has more than the copy. Nothing changes where they are refused.
   * @throws {IdentityError} `log-head-forged`, `log-went-back`, or `log-forked`: these entries do not have the head's root.
   */
  extend(clientIds: readonly string[], head: TreeHead): void {
    const before = this.size;
    checkTreeHead(head, this.authority, this.crypto);
    if (head.size < before)
      throw new IdentityError('log-went-back', `${head.size} entries; ${before} were seen before`);
    try {
      for (const clientId of clientIds) this.#tree.append(logEntry(clientId));
      if (this.size !== head.size || !equalBytes(this.#tree.root(), fromHex(head.root, 'head.root', 32)))
        throw new IdentityError(
          'log-forked',
          `${this.size} entries do not have the root of the head of ${head.size}`,
        );
    } catch (error) {
      this.#tree.truncate(before);
      throw error;
    }
    this.#head = head;
  }

  /** The path from a position to the root of the log's first `size` entries. */
  inclusion(index: number, size: number): Uint8Array[] {
    return this.#tree.inclusion(index, size);
  }

  /** That the first `to` entries begin with the first `from`. */
  consistency(from: number, to: number): Uint8Array[] {
    return this.#tree.consistency(from, to);
  }
}
