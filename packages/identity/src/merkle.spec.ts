import { createHash } from 'node:crypto';
import { concatBytes, fromHex, toHex, UsageError } from '@tutti/base';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeProof,
  encodeProof,
  isConsistent,
  LONGEST_PROOF,
  MerkleTree,
  rootOfInclusion,
  type TreeHash,
} from './merkle.ts';
import * as slow from '../test/slow-tree.ts';

/** The hash of Certificate Transparency: SHA-256, 0x00 before a leaf, 0x01 before a node. */
const sha256: TreeHash = {
  empty: () => new Uint8Array(createHash('sha256').digest()),
  leaf: (entry) => new Uint8Array(createHash('sha256').update(Uint8Array.of(0)).update(entry).digest()),
  node: (left, right) =>
    new Uint8Array(createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest()),
};

function treeOf(entries: readonly Uint8Array[]): MerkleTree {
  const tree = new MerkleTree(sha256);
  for (const entry of entries) tree.append(entry);
  return tree;
}

const numbered = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, at) => Uint8Array.of(at & 0xff, at >>> 8));

describe('known answers', () => {
  /** Entries and roots of certificate-transparency (cpp/merkletree/merkle_tree_test.cc), which every CT log checks against. */
  const entries = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ].map((hex) => fromHex(hex));
  const roots = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ];

  it.each(roots.map((root, size) => ({ size, root })))(
    'the root of $size entries is that of Certificate Transparency',
    ({ size, root }) => {
      expect(toHex(treeOf(entries).root(size))).toBe(root);
      expect(toHex(treeOf(entries.slice(0, size)).root())).toBe(root);
    },
  );

  it.each<[index: number, size: number, path: string[]]>([
    [0, 1, []],
    [
      0,
      8,
      [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    ],
    [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
  ])('the path of entry %i of %i', (index, size, path) => {
    expect(treeOf(entries).inclusion(index, size).map(toHex)).toEqual(path);
  });

  it.each<[from: number, to: number, proof: string[]]>([
    [1, 1, []],
    [
      1,
      8,
      [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    ],
    [
      2,
      5,
      [
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      ],
    ],
  ])('the proof that %i entries begin %i', (from, to, proof) => {
    expect(treeOf(entries).consistency(from, to).map(toHex)).toEqual(proof);
  });
});

describe('beside the slow tree', () => {
  it('roots, paths and proofs are the same for every size up to 40', () => {
    const entries = numbered(40);
    const tree = treeOf(entries);
    for (let size = 0; size <= entries.length; size++) {
      const d = entries.slice(0, size);
      expect(tree.root(size)).toEqual(slow.treeHash(sha256, d));
      for (let at = 0; at < size; at++) expect(tree.inclusion(at, size)).toEqual(slow.path(sha256, at, d));
      for (let from = 1; from <= size; from++)
        expect(tree.consistency(from, size)).toEqual(slow.proof(sha256, from, d));
    }
  });

  it('and for trees of up to 3,000 at random places', () => {
    const entries = numbered(3_000);
    const tree = treeOf(entries);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), fc.nat(), (size, draw) => {
        const at = draw % size;
        const d = entries.slice(0, size);
        expect(tree.inclusion(at, size)).toEqual(slow.path(sha256, at, d));
        expect(tree.consistency(at + 1, size)).toEqual(slow.proof(sha256, at + 1, d));
      }),
      { seed: 1, numRuns: 30 },
    );
  });
});

const sizes = fc.integer({ min: 1, max: 300 });
const all = treeOf(numbered(300));

describe('inclusion', () => {
  it('every path leads to the root', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, draw) => {
        const index = draw % size;
        const proof = all.inclusion(index, size);
        const claim = { leaf: all.leaf(index), index, size };
        expect(rootOfInclusion(sha256, claim, proof)).toEqual(all.root(size));
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it('no other leaf, place, size or path does', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), fc.nat(255), (size, draw, other, flip) => {
        const index = draw % size;
        const proof = all.inclusion(index, size);
        const root = toHex(all.root(size));
        const claim = { leaf: all.leaf(index), index, size };
        const leads = (changed: Partial<typeof claim>, path: readonly Uint8Array[] = proof): boolean => {
          const found = rootOfInclusion(sha256, { ...claim, ...changed }, path);
          return found !== undefined && toHex(found) === root;
        };
        expect(leads({})).toBe(true);
        expect(leads({ leaf: sha256.leaf(Uint8Array.of(1, 2, 3)) })).toBe(false);
        expect(leads({ index: size })).toBe(false);
        const elsewhere = other % size;
        if (elsewhere !== index) expect(leads({ index: elsewhere })).toBe(false);
        expect(leads({}, [...proof, all.leaf(0)])).toBe(false);
        if (proof.length === 0) return;
        expect(leads({}, proof.slice(0, -1))).toBe(false);
        const bent = proof.map((row) => row.slice());
        bent[other % bent.length]![flip % 32]! ^= 1 << (flip % 8);
        expect(leads({}, bent)).toBe(false);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('an inner node does not pass for a leaf', () => {
    const tree = treeOf(numbered(4));
    const forged = concatBytes(tree.leaf(0), tree.leaf(1));
    const claim = { leaf: sha256.leaf(forged), index: 0, size: 2 };
    expect(rootOfInclusion(sha256, claim, [sha256.node(tree.leaf(2), tree.leaf(3))])).not.toEqual(
      tree.root(),
    );
  });
});

describe('consistency', () => {
  const headOf = (size: number): { size: number; root: Uint8Array } => ({ size, root: all.root(size) });

  it('holds between every two sizes of one log', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 }), (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        expect(isConsistent(sha256, headOf(from), headOf(to), all.consistency(from, to))).toBe(true);
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  it('does not hold for a log that was changed at any entry before, whatever of the two is proved', () => {
    fc.assert(
      fc.property(sizes, sizes, fc.nat(), (a, b, draw) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const entries = numbered(to);
        entries[draw % from] = Uint8Array.of(9, 9, 9);
        const fork = treeOf(entries);
        const claimed = { size: to, root: fork.root() };
        expect(isConsistent(sha256, headOf(from), claimed, fork.consistency(from, to))).toBe(false);
        expect(isConsistent(sha256, headOf(from), claimed, all.consistency(from, to))).toBe(false);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  it('does not hold with a proof that is longer, shorter, bent, or for sizes the wrong way round', () => {
    fc.assert(
      fc.property(sizes, sizes, fc.nat(), (a, b, draw) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const proof = all.consistency(from, to);
        const holds = (path: readonly Uint8Array[]): boolean =>
          isConsistent(sha256, headOf(from), headOf(to), path);
        expect(holds([...proof, all.leaf(0)])).toBe(false);
        if (from < to) expect(isConsistent(sha256, headOf(to), headOf(from), proof)).toBe(false);
        if (proof.length === 0) return;
        expect(holds(proof.slice(1))).toBe(false);
        const bent = proof.map((row) => row.slice());
        bent[draw % bent.length]![draw % 32]! ^= 1;
        expect(holds(bent)).toBe(false);
      }),
      { seed: 6, numRuns: 300 },
    );
  });

  it('an empty log begins every log, if it is the empty log', () => {
    expect(isConsistent(sha256, { size: 0, root: sha256.empty() }, headOf(5), [])).toBe(true);
    expect(isConsistent(sha256, { size: 0, root: all.root(1) }, headOf(5), [])).toBe(false);
    expect(isConsistent(sha256, headOf(3), headOf(5), [])).toBe(false);
  });
});

describe('the tree', () => {
  it('goes back to a size that it had, and on from there', () => {
    const tree = treeOf(numbered(100));
    for (const size of [99, 64, 33, 1, 0]) {
      tree.truncate(size);
      expect(tree.root()).toEqual(all.root(size));
    }
    for (const entry of numbered(77)) tree.append(entry);
    expect(tree.root()).toEqual(all.root(77));
    expect(tree.inclusion(76)).toEqual(all.inclusion(76, 77));
  });

  it.each<[string, () => unknown]>([
    ['a root beyond it', () => all.root(301)],
    ['a path of an entry that is not there', () => all.inclusion(5, 5)],
    ['a path in a tree that is not there', () => all.inclusion(5, 301)],
    ['a proof from a larger size', () => all.consistency(6, 5)],
    ['a leaf that is not there', () => all.leaf(300)],
    ['going back to more than it has', () => all.truncate(301)],
  ])('refuses %s', (_, work) => {
    expect(work).toThrow(UsageError);
  });

  it('proofs survive the wire, and other bytes are refused', () => {
    const proof = all.inclusion(17, 300);
    expect(decodeProof(encodeProof(proof))).toEqual(proof);
    expect(decodeProof(new Uint8Array(0))).toEqual([]);
    expect(() => decodeProof(new Uint8Array(33))).toThrow('proof: has 33 bytes');
    expect(() => decodeProof(new Uint8Array(32 * (LONGEST_PROOF + 1)))).toThrow('at most 33 hashes');
  });
});
