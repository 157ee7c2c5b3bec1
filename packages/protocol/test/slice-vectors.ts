import { toHex, utf8 } from '@tutti/base';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { sliceRows, sliceRowsHash, sliceTurn, type SliceShape } from '../src/slice.ts';

/** Known answers for the rows of slices: small ones in full, large ones by their hash. */
export function buildSliceVectors(crypto: CryptoSuite): object {
  const facts = { task: 'films', layoutHash: '22'.repeat(32), catalogueHash: '44'.repeat(32) };
  const small = { items: 20, rows: 8, head: 3 };
  const wide = { items: 100_000, rows: 8_192, head: 4_096 };
  const widest = { items: 1_000_000, rows: 8_192, head: 4_096 };
  const everyOther = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => 2 * i + 1);
  const caseOf = (shape: SliceShape, round: number) => {
    const turn = sliceTurn(shape, round);
    const head = everyOther(turn.head);
    const rows = sliceRows(shape, { ...facts, round }, head, crypto);
    const listed = shape === small ? [...rows] : [...rows.subarray(0, 8)];
    return {
      shape,
      round,
      turn,
      head: 'the rows 1, 3, 5, … of the catalogue',
      [shape === small ? 'rows' : 'firstRows']: listed,
      rowsHash: sliceRowsHash(rows, crypto),
    };
  };
  return {
    source: '@tutti/protocol, packages/protocol/test/slice-vectors.ts',
    facts,
    seedOfCycle1: toHex(
      crypto.digest(
        'slice',
        utf8(facts.task),
        new Uint8Array(32).fill(0x22),
        new Uint8Array(32).fill(0x44),
        Uint8Array.of(1, 0, 0, 0),
      ),
    ),
    slices: [
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((round) => caseOf(small, round)),
      caseOf(wide, 1),
      caseOf(wide, 14),
      caseOf(widest, 1_000),
    ],
  };
}
