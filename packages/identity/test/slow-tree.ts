import type { TreeHash } from '../src/merkle.ts';

/** RFC 6962 §2.1 word by word, over the whole list each time: slow, and readable beside the RFC. */

const split = (n: number): number => {
  let k = 1;
  while (2 * k < n) k *= 2;
  return k;
};

/** MTH(D[n]). */
export function treeHash(hash: TreeHash, d: readonly Uint8Array[]): Uint8Array {
  if (d.length === 0) return hash.empty();
  if (d.length === 1) return hash.leaf(d[0]!);
  const k = split(d.length);
  return hash.node(treeHash(hash, d.slice(0, k)), treeHash(hash, d.slice(k)));
}

/** PATH(m, D[n]). */
export function path(hash: TreeHash, m: number, d: readonly Uint8Array[]): Uint8Array[] {
  if (d.length <= 1) return [];
  const k = split(d.length);
  return m < k
    ? [...path(hash, m, d.slice(0, k)), treeHash(hash, d.slice(k))]
    : [...path(hash, m - k, d.slice(k)), treeHash(hash, d.slice(0, k))];
}

/** SUBPROOF(m, D[n], b); PROOF(m, D[n]) is SUBPROOF(m, D[n], true). */
export function proof(hash: TreeHash, m: number, d: readonly Uint8Array[], whole = true): Uint8Array[] {
  if (m === d.length) return whole ? [] : [treeHash(hash, d)];
  const k = split(d.length);
  return m <= k
    ? [...proof(hash, m, d.slice(0, k), whole), treeHash(hash, d.slice(k))]
    : [...proof(hash, m - k, d.slice(k), false), treeHash(hash, d.slice(0, k))];
}
