import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildSliceVectors } from '../test/slice-vectors.ts';
import { DESCRIPTION } from '../test/samples.ts';
import { decodeDescription } from './description.ts';
import { sliceRows, sliceRowsHash, sliceTurn, type SliceFacts, type SliceShape } from './slice.ts';

const FACTS: SliceFacts = {
  task: 'films',
  round: 1,
  layoutHash: '22'.repeat(32),
  catalogueHash: '44'.repeat(32),
};

const shapes: fc.Arbitrary<SliceShape> = fc
  .tuple(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 120 }), fc.nat(119))
  .map(([a, b, c]) => {
    const [rows, items] = a <= b ? [a, b] : [b, a];
    return { items, rows, head: c % rows };
  });

/** Some head of the length that the round asks for. */
function headOf(shape: SliceShape, round: number, stride = 1): Uint32Array {
  const { head } = sliceTurn(shape, round);
  const rows = Array.from({ length: shape.items }, (_, row) => (row * stride) % shape.items);
  return Uint32Array.from(new Set(rows.slice(0, head))).sort();
}

const rowsAt = (shape: SliceShape, round: number): Uint32Array =>
  sliceRows(shape, { ...FACTS, round }, headOf(shape, round), portableCrypto);

describe('the test vectors of slices', () => {
  it.each([nodeCrypto, portableCrypto])('are what $name gives', async (crypto) => {
    await expect(`${JSON.stringify(buildSliceVectors(crypto), null, 2)}\n`).toMatchFileSnapshot(
      '../../../vectors/slices.json',
    );
  });
});

describe('the turn of a round', () => {
  it('is the rotation that the page promises: 13 rounds without a head, then 24 a cycle at 100,000 items', () => {
    const shape = { items: 100_000, rows: 8_192, head: 4_096 };
    expect(sliceTurn(shape, 1)).toEqual({ cycle: 0, page: 0, pages: 13, head: 0 });
    expect(sliceTurn(shape, 13)).toEqual({ cycle: 0, page: 12, pages: 13, head: 0 });
    expect(sliceTurn(shape, 14)).toEqual({ cycle: 1, page: 0, pages: 24, head: 4_096 });
    expect(sliceTurn(shape, 37)).toEqual({ cycle: 1, page: 23, pages: 24, head: 4_096 });
    expect(sliceTurn(shape, 38)).toEqual({ cycle: 2, page: 0, pages: 24, head: 4_096 });
  });

  it.each([
    { items: 10, rows: 11, head: 0 },
    { items: 10, rows: 5, head: 5 },
    { items: 10, rows: 5, head: -1 },
    { items: 10, rows: 0, head: 0 },
  ])('refuses the shape %o', (shape) => {
    expect(() => sliceTurn(shape, 1)).toThrow(`a slice of ${shape.rows} rows`);
  });
});

describe('the rows of a slice', () => {
  it('are a set of R rows of the catalogue, ascending, the head among them', () => {
    fc.assert(
      fc.property(
        shapes,
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 7 }),
        (shape, round, stride) => {
          const head = headOf(shape, round, stride);
          fc.pre(head.length === sliceTurn(shape, round).head);
          const rows = sliceRows(shape, { ...FACTS, round }, head, portableCrypto);
          expect(rows).toHaveLength(shape.rows);
          expect([...rows]).toEqual([...new Set(rows)].sort((a, b) => a - b));
          expect(rows.at(-1)).toBeLessThan(shape.items);
          const there = new Set(rows);
          for (const row of head) expect(there.has(row)).toBe(true);
        },
      ),
    );
  });

  it('hold every row of the catalogue at least once a cycle', () => {
    fc.assert(
      fc.property(shapes, fc.nat(2), (shape, cycles) => {
        let round = 1;
        for (let cycle = 0; cycle < cycles; cycle++) round += sliceTurn(shape, round).pages;
        const { pages, cycle } = sliceTurn(shape, round);
        const seen = new Set<number>();
        for (let page = 0; page < pages; page++) {
          expect(sliceTurn(shape, round + page)).toMatchObject({ cycle, page });
          for (const row of rowsAt(shape, round + page)) seen.add(row);
        }
        expect(seen.size).toBe(shape.items);
      }),
      { numRuns: 60 },
    );
  });

  it('are another selection in another round, cycle, task, layout and catalogue', () => {
    const shape = { items: 400, rows: 40, head: 8 };
    const head = headOf(shape, 11);
    const base = sliceRows(shape, { ...FACTS, round: 11 }, head, portableCrypto);
    for (const other of [
      { ...FACTS, round: 12 },
      { ...FACTS, round: 11 + sliceTurn(shape, 11).pages },
      { ...FACTS, round: 11, task: 'books' },
      { ...FACTS, round: 11, layoutHash: '33'.repeat(32) },
      { ...FACTS, round: 11, catalogueHash: '33'.repeat(32) },
    ]) {
      const rows = sliceRows(shape, other, head, portableCrypto);
      expect(sliceRowsHash(rows, portableCrypto)).not.toBe(sliceRowsHash(base, portableCrypto));
    }
  });

  it('give every tail row an even chance of a page (χ²)', () => {
    // 60 rows, pages of 6: in 400 cycles a row is on page 0 in 40 of them, with variance 400·0.1·0.9 = 36. The sum over 60 rows
    // has mean 60 and deviation √(2·59) ≈ 11: above 140 is 7 deviations, below 1e-9. The draws are fixed.
    const shape = { items: 60, rows: 6, head: 0 };
    const counts = new Float64Array(60);
    for (let cycle = 0; cycle < 400; cycle++)
      for (const row of rowsAt(shape, 1 + 10 * cycle)) counts[row] = (counts[row] as number) + 1;
    const chi2 = counts.reduce((sum, count) => sum + (count - 40) ** 2 / 36, 0);
    expect(chi2).toBeLessThan(140);
    expect(chi2).toBeGreaterThan(15);
  });

  it('refuse a head of another length than the cycle has', () => {
    const shape = { items: 20, rows: 8, head: 3 };
    expect(() => sliceRows(shape, FACTS, Uint32Array.of(1, 2, 3), portableCrypto)).toThrow(
      'a head of 3 rows; cycle 0 has 0',
    );
    expect(() => sliceRows(shape, { ...FACTS, round: 4 }, Uint32Array.of(1), portableCrypto)).toThrow(
      'a head of 1 rows; cycle 1 has 3',
    );
  });
});

describe('the slice in a description', () => {
  const slice = { rows: 8, head: 3, rowsHash: '66'.repeat(32), blobHash: '77'.repeat(32), bytes: 4_000 };
  const decode = (value: unknown) => decodeDescription({ ...DESCRIPTION, slice: value });

  it('is taken as it is, and may be absent', () => {
    expect(decode(slice)).toEqual({ ...DESCRIPTION, slice });
    expect(decodeDescription({ ...DESCRIPTION })).not.toHaveProperty('slice');
  });

  it.each([
    ['without rows', { ...slice, rows: undefined }, 'description.slice.rows'],
    ['with no row', { ...slice, rows: 0 }, 'description.slice.rows'],
    ['with more rows than a catalogue has', { ...slice, rows: 2 ** 20 + 1 }, 'description.slice.rows'],
    ['that is all head', { ...slice, head: 8 }, 'description.slice'],
    ['with a hash that is none', { ...slice, rowsHash: 'XX' }, 'description.slice.rowsHash'],
    ['of any size', { ...slice, bytes: 1e12 }, 'description.slice.bytes'],
    ['with a list of its own for this client', { ...slice, own: [1] }, 'description.slice.own'],
    ['that is nothing', null, 'description.slice'],
  ])('is refused %s', (_, value, field) => {
    expect(() => decode(value)).toThrow(`${field}:`);
  });
});
