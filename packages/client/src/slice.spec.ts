import { keepLocal, seededRandom, systemRandom } from '@tutti/base';
import {
  createModel,
  encodeSlice,
  initialShared,
  modelOfRows,
  resolveModelConfig,
  takeRows,
  wholeTableOf,
} from '@tutti/model';
import { phaseDigest, roundDigest, sliceRows, sliceRowsHash, type RoundDescription } from '@tutti/protocol';
import { portableCrypto as crypto } from '@tutti/secure-aggregation/portable';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDevice } from './device.ts';
import { memoryClientStore } from './memory-store.ts';
import { DEFAULT_POLICY } from './policy.ts';
import type { LocalExamples } from './ports.ts';
import { deltaNorm, itemOf, readSlice, withinRows, withPopularity } from './slice.ts';

const ITEMS = 40;
const D = 2;
const model = createModel(
  resolveModelConfig({ family: 'mf', dimension: D }, { items: ITEMS, meanHistory: 5 }),
  ITEMS,
);
const shared = initialShared(model, seededRandom('weights'));
const SHAPE = { items: ITEMS, rows: 10, head: 4 };
const HEAD = Uint32Array.of(1, 2, 20, 39);
/** The first cycle has four rounds. */
const ROUND = 6;
const facts = { task: 'films', layoutHash: '22'.repeat(32), catalogueHash: '44'.repeat(32), round: ROUND };

function packed(head = HEAD, round = ROUND): { bytes: Uint8Array; rows: Uint32Array } {
  const rows = sliceRows(SHAPE, { ...facts, round }, head, crypto);
  const slice = { head, shared: takeRows(model, shared, rows), whole: wholeTableOf(model, shared) };
  return { rows, bytes: encodeSlice(model, slice, rows.length, { round: String(round) }) };
}

function described(
  { bytes, rows } = packed(),
  over: Partial<RoundDescription> = {},
  sliceOver: Partial<NonNullable<RoundDescription['slice']>> = {},
): RoundDescription {
  const delta = SHAPE.rows * D + SHAPE.rows;
  return {
    protocol: 2,
    attempt: 9,
    purpose: 'train',
    protection: 'secure',
    mode: 'semi-honest',
    identity: { level: 'open' },
    previousDigest: '00'.repeat(32),
    modelHash: '11'.repeat(32),
    ...facts,
    lanes: { delta, rowCounts: 0, metrics: ['loss'], length: delta + 3 },
    scale: { delta: 1_024, weight: 1_024, metric: 1_024 },
    clippingNorm: 2,
    wordBits: 32,
    clipIndicator: true,
    noise: { mechanism: 'none' },
    cohort: { planned: 20, smallest: 16, largestGroup: 128 },
    graph: { corruptPermille: 50, dropoutPermille: 50, largestComplete: 128 },
    deadlinesMs: {
      train: 1_000,
      revealNonces: 1_000,
      shareKeys: 1_000,
      maskedInput: 1_000,
      survivors: 1_000,
      unmask: 1_000,
    },
    slice: {
      rows: SHAPE.rows,
      head: SHAPE.head,
      rowsHash: sliceRowsHash(rows, crypto),
      blobHash: '77'.repeat(32),
      bytes: bytes.length,
      ...sliceOver,
    },
    ...over,
  };
}

describe('a slice from outside', () => {
  it('is the rows that the device derives, with their weights', () => {
    const good = packed();
    const slice = readSlice(good.bytes, described(good), model, crypto);
    expect(slice.rows).toEqual(good.rows);
    expect(slice.model.layout).toEqual(modelOfRows(model, 10).layout);
    expect(slice.shared).toEqual(takeRows(model, shared, good.rows));
    expect(slice.whole).toEqual(wholeTableOf(model, shared));
  });

  const good = packed();
  it.each<[string, Uint8Array, RoundDescription, string]>([
    ['another row list', good.bytes, described(good, {}, { rowsHash: '66'.repeat(32) }), 'slice.rowsHash'],
    [
      'rows of another round',
      packed(HEAD, ROUND + 1).bytes,
      described(packed(HEAD, ROUND + 1)),
      'slice.rowsHash',
    ],
    ['another head', packed(Uint32Array.of(0, 2, 20, 39)).bytes, described(good), 'slice.rowsHash'],
    ['another number of rows', good.bytes, described(good, {}, { rows: 11 }), 'lanes.delta'],
    ['more rows than there are', good.bytes, described(good, {}, { rows: ITEMS + 1 }), 'slice.rows'],
    ['another head length', good.bytes, described(good, {}, { head: 5 }), 'slice'],
    ['another size', good.bytes.slice(0, -4), described(good), 'slice'],
    [
      'lanes of the whole table',
      good.bytes,
      described(good, { lanes: { delta: ITEMS * D, rowCounts: 0, metrics: [], length: ITEMS * D + 2 } }),
      'lanes.delta',
    ],
    [
      'a lane less a row',
      good.bytes,
      described(good, { lanes: { delta: 20, rowCounts: 0, metrics: [], length: 22 } }),
      'lanes.delta',
    ],
    [
      'row counts of other rows',
      good.bytes,
      described(good, { lanes: { delta: 30, rowCounts: 9, metrics: [], length: 41 } }),
      'lanes.rowCounts',
    ],
  ])('is refused with %s', (_, bytes, description, field) => {
    expect(() => readSlice(bytes, description, model, crypto)).toThrow(`${field}:`);
  });

  it('belongs to training: a measurement has none', () => {
    expect(() => readSlice(good.bytes, described(good, { purpose: 'evaluate' }), model, crypto)).toThrow(
      'evaluate',
    );
  });

  it('makes a device decline where it does not fit, under the coordinator’s own signature', async () => {
    const coordinator = crypto.signKeyPair(systemRandom());
    const answer = async (description: RoundDescription, bytes: Uint8Array): Promise<string> => {
      const digest = roundDigest(description, crypto);
      const device = createDevice({
        identity: crypto.signKeyPair(systemRandom()),
        task: {
          protocol: 2,
          task: 'films',
          coordinatorKey: Buffer.from(coordinator.publicKey).toString('hex'),
          model: { ...model.config },
          items: ITEMS,
          catalogueHash: facts.catalogueHash,
          layoutHash: facts.layoutHash,
          round: 5,
          modelHash: '11'.repeat(32),
        },
        model,
        store: memoryClientStore(),
        models: {
          open: () => Promise.reject(new Error('no whole table is needed')),
          async openSlice(_, read) {
            const { rows, model: part } = read(bytes);
            return { rows, loaded: stillModel(part.layout.length) };
          },
        },
        data: async () => ({ positives: keepLocal(Int32Array.of(1, 2)) }),
        crypto,
        random: systemRandom(),
        words: () => seededRandom('words'),
        seeds: () => seededRandom('seeds'),
        policy: DEFAULT_POLICY,
        nowMs: () => 0,
      });
      const [reply] = await device.handle({
        type: 'describe',
        description,
        signature: crypto.sign(phaseDigest('describe', digest, [], crypto), coordinator.secretKey),
      });
      return reply?.type === 'decline' ? reply.reason : (reply?.type ?? 'nothing');
    };
    expect(await answer(described(good), good.bytes)).toBe('advertise-keys');
    expect(await answer(described(good, {}, { rowsHash: '66'.repeat(32) }), good.bytes)).toBe('wrong-model');
    expect(await answer(described(good, { round: ROUND + 1 }), good.bytes)).toBe('wrong-model');
    expect(await answer(described(good, { purpose: 'evaluate' }), good.bytes)).toBe('wrong-model');
  });
});

/** A model that never moves. */
const stillModel = (length: number) => ({
  train: async (local: never) => ({
    delta: new Float32Array(length),
    local: local ?? keepLocal(new Float32Array(D)),
    loss: 0,
    examples: 0,
    touchedRows: keepLocal(new Int32Array(0)),
  }),
  personalize: async () => keepLocal(new Float32Array(D)),
  score: async () => keepLocal(new Float32Array(0)),
  rank: async () => keepLocal({ items: new Int32Array(0), scores: new Float32Array(0) }),
  dispose: () => undefined,
});

describe('a person’s examples within a slice', () => {
  const rows = Uint32Array.of(3, 8, 9, 15, 20, 31);
  const examples = (positives: number[], item?: number, candidates = 2): LocalExamples => ({
    positives: keepLocal(Int32Array.from(positives)),
    ...(item === undefined
      ? {}
      : { heldOut: keepLocal({ item, candidates: Int32Array.from({ length: candidates }, (_, i) => i) }) }),
  });

  it('are those that are in it, by their place; the others take no part', () => {
    const { positives } = withinRows(examples([20, 4, 3, 39]), rows, seededRandom(1));
    expect([...positives]).toEqual([4, 0]);
    const all = examples([20, 4]);
    expect(withinRows(all, undefined, seededRandom(1))).toBe(all);
  });

  it('keep what the person gave what is in the slice', () => {
    const ratings = keepLocal(Float32Array.of(5, 4, 3, 2));
    const kept = withinRows({ ...examples([20, 4, 3, 39]), ratings }, rows, seededRandom(1));
    expect([...(kept.ratings ?? [])]).toEqual([5, 3]);
  });

  it('rank what was held out among as many others of the slice, which the person did not touch', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { heldOut } = withinRows(examples([20, 3], 9), rows, seededRandom(seed));
        expect(heldOut?.item).toBe(2);
        expect(new Set(heldOut?.candidates).size).toBe(2);
        for (const candidate of heldOut?.candidates ?? []) expect([1, 3, 5]).toContain(candidate);
      }),
    );
  });

  it('measure nothing where the held-out item is outside, or the slice is too small', () => {
    expect(withinRows(examples([20], 7), rows, seededRandom(1))).not.toHaveProperty('heldOut');
    expect(withinRows(examples([20, 3], 9, 4), rows, seededRandom(1))).not.toHaveProperty('heldOut');
  });

  it('are found by place: items of a table and rows of the catalogue', () => {
    expect([3, 31, 4, undefined].map((row) => itemOf({ rows }, row))).toEqual([0, 5, undefined, undefined]);
    expect(itemOf({}, 4)).toBe(4);
    expect(itemOf({ rows: new Uint32Array(0) }, 4)).toBeUndefined();
  });
});

describe('popularity lanes', () => {
  const squares = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);

  it('have the same norm for a person with 1 and one with 300 items, and delta and lanes keep to C together', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(399), { maxLength: 300 }),
        fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
        (positions, clippingNorm) => {
          const description = { clippingNorm, slice: { rows: 400 } } as RoundDescription;
          const most = deltaNorm(description);
          const delta = Float32Array.of(0.6 * most * (1 - 1e-6), -0.8 * most * (1 - 1e-6));
          const joined = withPopularity(delta, keepLocal(Int32Array.from(positions)), description);
          expect(joined).toHaveLength(402);
          expect(joined.subarray(0, 2)).toEqual(delta);
          const lanes = squares(joined.subarray(2));
          expect(Math.sqrt(lanes) / clippingNorm).toBeCloseTo(positions.length === 0 ? 0 : 1 / 8, 4);
          expect(squares(joined)).toBeLessThanOrEqual(clippingNorm ** 2);
          expect(new Set(joined.subarray(2)).size).toBeLessThanOrEqual(2);
        },
      ),
    );
  });

  it('are not there where the whole table travels', () => {
    const delta = Float32Array.of(1, 2);
    const description = { clippingNorm: 3 } as RoundDescription;
    expect(withPopularity(delta, keepLocal(Int32Array.of(1)), description)).toBe(delta);
    expect(deltaNorm(description)).toBe(3);
  });
});
