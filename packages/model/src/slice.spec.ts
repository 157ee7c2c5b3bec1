import { keepLocal, seededRandom } from '@tutti/base';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  createEngine,
  createModel,
  decodeSlice,
  encodeSlice,
  initialShared,
  type Model,
  type ModelInput,
  modelOfRows,
  putRowsInPlace,
  resolveModelConfig,
  takeRows,
  type Tensorflow,
  wholeTableOf,
} from './index.ts';
import { openNodeTensorflow } from './node.ts';

const ITEMS = 30;
const D = 4;
const model = (input: ModelInput): Model =>
  createModel(resolveModelConfig(input, { items: ITEMS, meanHistory: 5 }), ITEMS);
const mf = model({ family: 'mf', dimension: D });
const mlp = model({ family: 'mlp', dimension: D, hidden: [6, 3], batchSize: 8 });
const FAMILIES = [
  ['mf', mf],
  ['mlp', mlp],
] as const;

const rowsOf = fc
  .uniqueArray(fc.nat(ITEMS - 1), { minLength: 1, maxLength: ITEMS })
  .map((rows) => Uint32Array.from(rows).sort());

describe.each(FAMILIES)('rows of a table, %s', (_family, whole) => {
  const shared = initialShared(whole, seededRandom('weights'));

  it('are taken by their place in every item table, with all that is not a row', () => {
    const rows = Uint32Array.of(2, 3, 29);
    const taken = takeRows(whole, shared, rows);
    expect(taken).toHaveLength(modelOfRows(whole, 3).layout.length);
    for (const [at, row] of rows.entries())
      expect(taken.subarray(at * D, (at + 1) * D)).toEqual(shared.subarray(row * D, (row + 1) * D));
    const dense = (length: number, rowsIn: number): number => length - rowsIn * (whole === mf ? D : D + 1);
    expect(dense(taken.length, 3)).toBe(dense(shared.length, ITEMS));
    const rest = dense(shared.length, ITEMS);
    expect(taken.subarray(taken.length - rest)).toEqual(shared.subarray(shared.length - rest));
  });

  it('come back as they were, and nothing else moves', () => {
    fc.assert(
      fc.property(rowsOf, fc.integer(), (rows, seed) => {
        const random = seededRandom(seed);
        const target = Float32Array.from(shared);
        const part = takeRows(whole, shared, rows).map(() => random.normal());
        putRowsInPlace(whole, target, rows, part);
        expect(takeRows(whole, target, rows)).toEqual(part);
        putRowsInPlace(whole, target, rows, takeRows(whole, shared, rows));
        expect(target).toEqual(shared);
      }),
    );
  });

  it('are the whole table where they are all there are', () => {
    const all = Uint32Array.from({ length: ITEMS }, (_, row) => row);
    expect(modelOfRows(whole, ITEMS)).toBe(whole);
    expect(takeRows(whole, shared, all)).toEqual(shared);
    expect(() => modelOfRows(whole, ITEMS + 1)).toThrow('31 rows of a catalogue of 30 items');
    expect(() => modelOfRows(whole, 0)).toThrow('0 items');
  });

  it('travel as bytes: equal slices give equal bytes, and come back bit for bit', () => {
    fc.assert(
      fc.property(rowsOf, fc.nat(ITEMS), (rows, heads) => {
        const slice = {
          head: rows.slice(0, heads),
          shared: takeRows(whole, shared, rows),
          whole: wholeTableOf(whole, shared),
        };
        const bytes = encodeSlice(whole, slice, rows.length, { round: '3', task: 'films' });
        expect(encodeSlice(whole, slice, rows.length, { task: 'films', round: '3' })).toEqual(bytes);
        expect(decodeSlice(bytes, whole, { rows: rows.length, head: slice.head.length })).toEqual(slice);
      }),
    );
  });

  it('are refused where they do not fit, by name', () => {
    const rows = Uint32Array.of(1, 4, 9);
    const packed = (head: number[]): Uint8Array =>
      encodeSlice(
        whole,
        {
          head: Uint32Array.from(head),
          shared: takeRows(whole, shared, rows),
          whole: wholeTableOf(whole, shared),
        },
        3,
        {},
      );
    const read = (bytes: unknown, form = { rows: 3, head: 2 }) => decodeSlice(bytes, whole, form);
    const good = packed([1, 4]);
    expect(read(good).head).toEqual(Uint32Array.of(1, 4));
    expect(() => read('text')).toThrow('slice: is not binary');
    expect(() => read(good.slice(0, -4))).toThrow('this layout takes');
    expect(() => read(good, { rows: 3, head: 1 })).toThrow('this layout takes');
    expect(() => read(good, { rows: 2, head: 2 })).toThrow('this layout takes');
    expect(() => read(packed([4, 1]))).toThrow('slice.head: is not ascending');
    expect(() => read(packed([4, 4]))).toThrow('slice.head: is not ascending');
    expect(() => read(packed([4, ITEMS]))).toThrow('slice.head: is not ascending rows of a catalogue of 30');
    const poisoned = good.slice();
    poisoned.set([0, 0, 0xc0, 0x7f], poisoned.length - 4);
    expect(() => read(poisoned)).toThrow('not finite');
  });
});

describe('training on a slice', () => {
  let tf: Tensorflow;
  beforeAll(async () => {
    ({ tf } = await openNodeTensorflow({ backend: 'wasm' }));
  });

  const rows = Uint32Array.of(1, 5, 6, 9, 20, 28);
  /** Catalogue rows 5, 9 and 28, as the slice numbers them. */
  const person = { positives: keepLocal(Int32Array.of(1, 3, 5)) };
  const here = { positives: keepLocal(Int32Array.of(5, 9, 28)) };

  async function loadBoth(whole: Model) {
    const shared = initialShared(whole, seededRandom('weights'));
    const load = async (which: Model, weights: Float32Array, rest?: ReturnType<typeof wholeTableOf>) =>
      (await createEngine({ model: which, tf, backend: 'wasm' })).load(weights, rest);
    return {
      shared,
      all: await load(whole, shared),
      part: await load(
        modelOfRows(whole, rows.length),
        takeRows(whole, shared, rows),
        wholeTableOf(whole, shared),
      ),
    };
  }

  it('gives matrix factorisation the vector and the delta of the whole table, for items in the slice', async () => {
    const { all, part } = await loadBoth(mf);
    const [a, b] = [
      await all.train(undefined, here, seededRandom(1)),
      await part.train(undefined, person, seededRandom(1)),
    ];
    b.local.forEach((value, i) => expect(value).toBeCloseTo(a.local[i] as number, 5));
    const expected = takeRows(mf, a.delta, rows);
    expect(b.delta).toHaveLength(rows.length * D);
    b.delta.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 5));
    all.dispose();
    part.dispose();
  });

  it.each(FAMILIES)(
    'has the Gram matrix of every row, not of the slice: without it the vector of %s is another',
    async (_family, family) => {
      const shared = initialShared(family, seededRandom('weights'));
      const { gram } = wholeTableOf(family, shared);
      for (let i = 0; i < D; i++)
        for (let j = 0; j < D; j++) {
          let sum = 0;
          for (let row = 0; row < ITEMS; row++)
            sum += (shared[row * D + i] as number) * (shared[row * D + j] as number);
          expect(gram?.[i * D + j]).toBeCloseTo(sum, 5);
        }
      const { all, part } = await loadBoth(family);
      const alone = await (
        await createEngine({ model: modelOfRows(family, rows.length), tf, backend: 'wasm' })
      ).load(takeRows(family, shared, rows));
      const vector = async (loaded: typeof part) => loaded.personalize(undefined, person, seededRandom(1));
      expect(Math.abs((await vector(alone))[0] as number)).toBeGreaterThan(
        1.5 * Math.abs((await vector(part))[0] as number),
      );
      for (const loaded of [all, part, alone]) loaded.dispose();
    },
  );

  it('draws the negatives of the mlp from the slice: every delta is of its rows', async () => {
    const { part, all } = await loadBoth(mlp);
    const { delta, touchedRows, examples } = await part.train(undefined, person, seededRandom(2));
    expect(delta).toHaveLength(modelOfRows(mlp, rows.length).layout.length);
    expect(Math.max(...touchedRows)).toBeLessThan(rows.length);
    expect(examples).toBe(3 * 3); // three positives with two negatives each
    for (const loaded of [all, part]) loaded.dispose();
  });
});
