import { seededRandom } from '@tutti/base';
import {
  createModel,
  initialShared,
  type ModelInput,
  resolveModelConfig,
  takeRows,
  wholeTableOf,
} from '@tutti/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKnownRows, encodeKnownRows, mergeRows, NO_ROWS, type KnownRows } from './known-rows.ts';

const ITEMS = 20;
const modelOf = (input: ModelInput) =>
  createModel(resolveModelConfig(input, { items: ITEMS, meanHistory: 5 }), ITEMS);
const rowsOf = fc
  .uniqueArray(fc.nat(ITEMS - 1), { minLength: 1, maxLength: ITEMS })
  .map((rows) => Uint32Array.from(rows).sort());

describe.each([
  ['mf', modelOf({ family: 'mf', dimension: 3 })],
  ['mlp', modelOf({ family: 'mlp', dimension: 3, hidden: [4] })],
] as const)('rows that a device knows, %s', (_family, model) => {
  const weights = (seed: string): Float32Array =>
    initialShared(model, seededRandom(seed)).map((value) => value + 1);
  const known = (seed: string, rows: Uint32Array): KnownRows => ({
    rows,
    shared: takeRows(model, weights(seed), rows),
    whole: wholeTableOf(model, weights(seed)),
  });

  it('are the newest that it saw of each row, and the newest of all that is not a row', () => {
    fc.assert(
      fc.property(rowsOf, rowsOf, rowsOf, (first, second, third) => {
        const merged = [known('b', second), known('c', third)].reduce(
          (older, newer) => mergeRows(model, older, newer),
          mergeRows(model, undefined, known('a', first)),
        );
        expect(new Set(merged.rows)).toEqual(new Set([...first, ...second, ...third]));
        expect([...merged.rows]).toEqual([...merged.rows].sort((a, b) => a - b));
        expect(merged.whole).toEqual(wholeTableOf(model, weights('c')));
        for (const row of merged.rows) {
          const seed = third.includes(row) ? 'c' : second.includes(row) ? 'b' : 'a';
          const at = merged.rows.indexOf(row);
          expect(merged.shared.subarray(3 * at, 3 * at + 3)).toEqual(
            weights(seed).subarray(3 * row, 3 * row + 3),
          );
        }
        const dense = model.layout.parameters.filter(({ role }) => role === 'dense');
        const length = dense.reduce((sum, parameter) => sum + parameter.length, 0);
        expect(merged.shared.subarray(merged.shared.length - length)).toEqual(
          weights('c').subarray(model.layout.length - length),
        );
      }),
      { numRuns: 50 },
    );
  });

  it('come back from the store to the bit', () => {
    fc.assert(
      fc.property(rowsOf, (rows) => {
        const some = known('a', rows);
        expect(decodeKnownRows(encodeKnownRows(some), model)).toEqual(some);
      }),
      { numRuns: 30 },
    );
    expect(decodeKnownRows(undefined, model)).toBeUndefined();
    expect(decodeKnownRows(NO_ROWS, model)).toBeUndefined();
  });

  it('are refused where they do not fit the model', () => {
    const bytes = encodeKnownRows(known('a', Uint32Array.of(1, 5)));
    expect(() => decodeKnownRows(bytes.slice(0, -1), model)).toThrow('which do not fit 2 rows');
    expect(() => decodeKnownRows(new Uint8Array(8), model)).toThrow('which do not fit 0 rows');
    expect(() => decodeKnownRows(Uint8Array.of(1), model)).toThrow('knownRows: has 1 bytes');
    bytes[0] = ITEMS + 1;
    expect(() => decodeKnownRows(bytes, model)).toThrow('do not fit 21 rows');
  });
});
