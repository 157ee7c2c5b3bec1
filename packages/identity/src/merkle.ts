import { concatBytes, DecodeError, equalBytes } from '@tutti/base';
import { HashRows, HASH_BYTES } from './hash-rows.ts';
import { checkWhole, LARGEST_LOG } from './numbers.ts';

/** The Merkle tree of RFC 6962 and 9162, §2.1, over any hash of 32 bytes. */

/** How a tree hashes. Leaves and nodes must be told apart, or a node could pass for a leaf. */
export interface TreeHash {
  empty(): Uint8Array;
  leaf(entry: Uint8Array): Uint8Array;
  node(left: Uint8Array, right: Uint8Array): Uint8Array;
}

/** Most hashes in a proof: a path of a tree of 2³² leaves, and one for consistency. */
export const LONGEST_PROOF = 33;

/** An append-only tree that keeps the hash of every full subtree: roots and proofs of any size so far in O(log n). */
export class MerkleTree {
  /** Level k holds the hashes of the full subtrees of 2ᵏ leaves, in order. */
  readonly #levels: HashRows[] = [new HashRows()];

  constructor(private readonly hash: TreeHash) {}

  get size(): number {
    return this.#level(0).length;
  }

  /** Adds an entry at the end. */
  append(entry: Uint8Array): void {
    checkWhole('size', this.size + 1, 1, LARGEST_LOG);
    let row = this.hash.leaf(entry);
    for (let k = 0; ; k++) {
      this.#levels[k] ??= new HashRows();
      const level = this.#level(k);
      level.push(row);
      if (level.length % 2 === 1) return;
      row = this.hash.node(level.at(level.length - 2), row);
    }
  }

  /** Takes entries off the end until `size` are left. */
  truncate(size: number): void {
    checkWhole('size', size, 0, this.size);
    this.#levels.forEach((level, k) => level.truncate(Math.floor(size / 2 ** k)));
  }

  /** The hash of the leaf at `index`. */
  leaf(index: number): Uint8Array {
    checkWhole('index', index, 0, this.size - 1);
    return this.#level(0).at(index);
  }

  /** MTH over the first `size` entries. */
  root(size: number = this.size): Uint8Array {
    checkWhole('size', size, 0, this.size);
    return size === 0 ? this.hash.empty() : this.#range(0, size);
  }

  /** PATH(index, D[size]): the neighbours on the way from a leaf to the root. */
  inclusion(index: number, size: number = this.size): Uint8Array[] {
    checkWhole('size', size, 1, this.size);
    checkWhole('index', index, 0, size - 1);
    const path: Uint8Array[] = [];
    for (let begin = 0, end = size; end - begin > 1;) {
      const middle = begin + splitOf(end - begin);
      const isLeft = index < middle;
      path.unshift(isLeft ? this.#range(middle, end) : this.#range(begin, middle));
      [begin, end] = isLeft ? [begin, middle] : [middle, end];
    }
    return path;
  }

  /** PROOF(from, D[to]): that the first `from` entries of both trees are the same. Empty for `from` 0 and for equal sizes. */
  consistency(from: number, to: number = this.size): Uint8Array[] {
    checkWhole('to', to, 0, this.size);
    checkWhole('from', from, 0, to);
    if (from === 0) return [];
    const proof: Uint8Array[] = [];
    let [begin, end] = [0, to];
    while (end !== from) {
      const middle = begin + splitOf(end - begin);
      const isLeft = from <= middle;
      proof.unshift(isLeft ? this.#range(middle, end) : this.#range(begin, middle));
      [begin, end] = isLeft ? [begin, middle] : [middle, end];
    }
    // The old root itself is known to who asks; a subtree within it is not.
    return begin === 0 ? proof : [this.#range(begin, end), ...proof];
  }

  /** MTH over the entries from `begin` to `end`, where `begin` is a multiple of the next power of two. */
  #range(begin: number, end: number): Uint8Array {
    const count = end - begin;
    if (isPowerOfTwo(count)) return this.#level(31 - Math.clz32(count)).at(begin / count);
    const middle = begin + splitOf(count);
    return this.hash.node(this.#range(begin, middle), this.#range(middle, end));
  }

  #level(k: number): HashRows {
    return this.#levels[k] as HashRows;
  }
}

/** The largest power of two below `count`, which is at least 2. */
const splitOf = (count: number): number => 2 ** (31 - Math.clz32(count - 1));

const isPowerOfTwo = (count: number): boolean => 2 ** (31 - Math.clz32(count)) === count;

/** The root that a proof of inclusion leads to, or nothing where it has another length than the tree's path. RFC 9162 §2.1.3.2. */
export function rootOfInclusion(
  hash: TreeHash,
  claim: { readonly leaf: Uint8Array; readonly index: number; readonly size: number },
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  let { index, leaf: root } = claim;
  let last = claim.size - 1;
  if (index > last) return undefined;
  for (const sibling of proof) {
    if (last === 0) return undefined;
    if (index % 2 === 1 || index === last) {
      root = hash.node(sibling, root);
      while (index % 2 === 0 && index !== 0) [index, last] = [index / 2, Math.floor(last / 2)];
    } else root = hash.node(root, sibling);
    [index, last] = [Math.floor(index / 2), Math.floor(last / 2)];
  }
  return last === 0 ? root : undefined;
}

/** Whether `proof` shows that the tree of `to` begins with the tree of `from`. RFC 9162 §2.1.4.2. */
export function isConsistent(
  hash: TreeHash,
  from: { readonly size: number; readonly root: Uint8Array },
  to: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (from.size > to.size) return false;
  if (from.size === 0) return proof.length === 0 && equalBytes(from.root, hash.empty());
  if (from.size === to.size) return proof.length === 0 && equalBytes(from.root, to.root);
  const path = isPowerOfTwo(from.size) ? [from.root, ...proof] : proof;
  let [index, last] = [from.size - 1, to.size - 1];
  while (index % 2 === 1) [index, last] = [Math.floor(index / 2), Math.floor(last / 2)];
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let [oldRoot, newRoot] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (index % 2 === 1 || index === last) {
      oldRoot = hash.node(sibling, oldRoot);
      newRoot = hash.node(sibling, newRoot);
      while (index % 2 === 0 && index !== 0) [index, last] = [index / 2, Math.floor(last / 2)];
    } else newRoot = hash.node(newRoot, sibling);
    [index, last] = [Math.floor(index / 2), Math.floor(last / 2)];
  }
  return last === 0 && equalBytes(oldRoot, from.root) && equalBytes(newRoot, to.root);
}

/** A proof as bytes. */
export function encodeProof(proof: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...proof);
}

/** A proof from outside. @throws {DecodeError} when it is no whole number of hashes, or longer than any proof. */
export function decodeProof(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length % HASH_BYTES !== 0 || bytes.length > LONGEST_PROOF * HASH_BYTES)
    throw new DecodeError('proof', `has ${bytes.length} bytes; at most ${LONGEST_PROOF} hashes are expected`);
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.slice(HASH_BYTES * at, HASH_BYTES * (at + 1)),
  );
}
