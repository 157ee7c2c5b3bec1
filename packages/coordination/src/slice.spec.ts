import { seededRandom, utf8 } from '@tutti/base';
import { decodeSliceState, decodeStrategyState, type AggregatedUpdate } from '@tutti/aggregation';
import {
  createModel,
  decodeCheckpoint,
  decodeSlice,
  encodeCheckpoint,
  initialShared,
  resolveModelConfig,
  takeRows,
  wholeTableOf,
} from '@tutti/model';
import { sliceRowsHash, sliceTurn } from '@tutti/protocol';
import { portableCrypto as crypto } from '@tutti/secure-aggregation/portable';
import { describe, expect, it } from 'vitest';
import { lanesOf } from './lanes.ts';
import { EMPTY_HISTORY, type TaskHistory } from './history.ts';
import { memoryBlobs } from './memory.ts';
import { chooseSlice, SliceShelf, trainedModel } from './slice.ts';
import type { TaskConfig } from './task-config.ts';
import { problemsOfTask } from './task-problems.ts';

const ITEMS = 30;
const SIZE = { rows: 10, head: 4 };
/** The clipping norm: popularity is told in units of it. */
const C = 2;
const hashes = { layoutHash: '22'.repeat(32), catalogueHash: '44'.repeat(32) };

function configOf(overrides: Partial<TaskConfig> = {}): TaskConfig {
  const input = { family: 'mlp', dimension: 2, hidden: [3] } as const;
  return {
    name: 'films',
    model: createModel(resolveModelConfig(input, { items: ITEMS, meanHistory: 5 }), ITEMS),
    catalogue: utf8('{}'),
    strategy: { name: 'fedadam', learningRate: 0.1 },
    clippingNorm: 1,
    rounds: 100,
    cohort: { planned: 20, smallest: 16, largestGroup: 128, overselection: 1 },
    deadlinesMs: { train: 1, shareKeys: 1, maskedInput: 1, unmask: 1 },
    protection: 'secure',
    noise: { multiplier: 0, metricMultiplier: 0 },
    seed: '1',
    keepCheckpoints: 3,
    slice: SIZE,
    ...overrides,
  };
}

/** A shelf at the beginning of its task, and what it commits to. */
async function openShelf(config = configOf()) {
  const blobs = memoryBlobs(crypto);
  const { layout } = config.model;
  const shared = initialShared(config.model, seededRandom('weights'));
  const modelHash = await blobs.put(encodeCheckpoint({ layout, shared, metadata: {} }));
  const history: TaskHistory = { ...EMPTY_HISTORY, modelHash };
  const shelf = new SliceShelf(config, SIZE, hashes, { blobs, crypto });
  const weights = async ({ modelHash: hash = '' }: TaskHistory): Promise<Float32Array> =>
    decodeCheckpoint(await blobs.get(hash), layout).shared;
  return { blobs, config, history, shelf, weights };
}

/** How the sums of these tests were made. */
const SUM = {
  clippingNorm: C,
  scale: { delta: 1, weight: 1, metric: 1 },
  noise: { mechanism: 'none' },
} as const;

/** A sum that moves every lane, and says how popular each row is. */
function updateOf(
  config: TaskConfig,
  rows: Uint32Array,
  popularity: (row: number) => number,
): AggregatedUpdate {
  const lanes = trainedModel(config).layout.length;
  const meanDelta = new Float32Array(lanes + rows.length).fill(0.25);
  rows.forEach((row, at) => (meanDelta[lanes + at] = C * popularity(row)));
  return { meanDelta, totalWeight: 1, clippedShare: 0, metrics: {}, survivors: 20 };
}

const after = (history: TaskHistory, next: Partial<TaskHistory>): TaskHistory => ({
  ...history,
  ...next,
  round: history.round + 1,
});

describe('what a catalogue travels in', () => {
  it('is all of it up to 16,384 rows, and 8,192 rows of a larger one', () => {
    expect(chooseSlice(16_384, 'auto')).toBeUndefined();
    expect(chooseSlice(16_385, 'auto')).toEqual({ rows: 8_192, head: 4_096 });
    expect(chooseSlice(1_000_000, 'off')).toBeUndefined();
    expect(chooseSlice(100, { rows: 100 })).toBeUndefined();
    expect(chooseSlice(100, { rows: 11 })).toEqual({ rows: 11, head: 5 });
    expect(chooseSlice(100, { rows: 11, head: 0 })).toEqual({ rows: 11, head: 0 });
  });

  it('makes 100,000 × 32 about a megabyte', () => {
    const input = { family: 'mf', dimension: 32 } as const;
    const model = createModel(resolveModelConfig(input, { items: 100_000, meanHistory: 50 }), 100_000);
    const slice = chooseSlice(100_000, 'auto');
    const { length } = lanesOf({ ...configOf(), model, ...(slice && { slice }) }, 'train');
    expect(4 * length).toBe(4 * (8_192 * 33 + 6));
    expect(lanesOf({ ...configOf(), model, ...(slice && { slice }) }, 'evaluate').length).toBe(6);
  });

  it.each<[Partial<TaskConfig>, string, string]>([
    [{ slice: { rows: 31, head: 4 } }, 'slice.rows', '31 is not a whole number from 1 to 30'],
    [{ slice: { rows: 10, head: 10 } }, 'slice.head', '10 is not a whole number from 0, below the 10 rows'],
    [{ slice: { rows: 0.5, head: 0 } }, 'slice.rows', '0.5 is not'],
    [
      {
        strategy: { name: 'fedavg' },
        noise: { multiplier: 1, metricMultiplier: 0, mechanism: { name: 'tree', steps: 100 } },
      },
      'noise.mechanism',
      'tree noise cancels over rounds that hold the same rows; those of slices change',
    ],
  ])('is refused where it does not fit: %o', (over, path, problem) => {
    expect(problemsOfTask(configOf(over))).toEqual([
      { path, problem: expect.stringContaining(problem) as string },
    ]);
  });

  it('is refused where no message carries the vector, with what would', () => {
    const input = { family: 'mf', dimension: 32 } as const;
    const model = createModel(resolveModelConfig(input, { items: 1_000_000, meanHistory: 50 }), 1_000_000);
    const { slice: _, ...whole } = { ...configOf(), model };
    expect(problemsOfTask(whole)).toEqual([
      { path: 'model', problem: expect.stringContaining('32000006 words is above 4194304') as string },
    ]);
    expect(problemsOfTask({ ...whole, slice: { rows: 8_192, head: 4_096 } })).toEqual([]);
  });
});

describe('a round’s slice', () => {
  it('is published once, as a blob that holds the rows that its description names', async () => {
    const { shelf, history, blobs, config, weights } = await openShelf();
    const { description, rows } = await shelf.publish(history);
    expect(description).toMatchObject({ rows: 10, head: 4, rowsHash: sliceRowsHash(rows, crypto) });
    const bytes = await blobs.get(description.blobHash);
    expect(bytes).toHaveLength(description.bytes);
    const shared = await weights(history);
    expect(decodeSlice(bytes, config.model, { rows: 10, head: 0 })).toEqual({
      head: new Uint32Array(0),
      shared: takeRows(config.model, shared, rows),
      whole: wholeTableOf(config.model, shared),
    });
    expect(await shelf.publish(history)).toBe(await shelf.publish(history));
  });

  it('is the same after a restart, to the byte', async () => {
    const { shelf, history, blobs, config } = await openShelf();
    const again = new SliceShelf(config, SIZE, hashes, { blobs, crypto });
    expect(await again.publish(history)).toEqual(await shelf.publish(history));
  });

  it('moves its rows and all that is not a row; other rows and their moments stay, bit for bit', async () => {
    const { shelf, history, blobs, config, weights } = await openShelf();
    const { model } = config;
    const slice = await shelf.publish(history);
    const next = await shelf.commit(
      history,
      updateOf(config, slice.rows, () => 0),
      slice,
      SUM,
    );
    const [before, now] = [await weights(history), await weights(after(history, next))];
    const inside = new Set(slice.rows);
    const moments = decodeStrategyState(await blobs.get(next.strategyHash));
    expect(moments.step).toBe(1);
    for (const { name, role, offset, length } of model.layout.parameters) {
      for (let i = 0; i < length; i++) {
        const row = Math.floor(i / (length / ITEMS));
        const moves = role === 'dense' || inside.has(row);
        expect(now[offset + i] !== before[offset + i], `${name} ${i}`).toBe(moves);
        expect(moments.first[offset + i] !== 0).toBe(moves);
        expect(moments.second[offset + i] !== 0).toBe(moves);
      }
    }
  });

  it('gives each row as many steps as it had slices: a first step is as long late as early', async () => {
    const { shelf, config, weights, ...start } = await openShelf();
    let { history } = start;
    const lengths: number[] = [];
    for (let round = 1; round <= 3; round++) {
      const slice = await shelf.publish(history);
      const next = await shelf.commit(
        history,
        updateOf(config, slice.rows, () => 0),
        slice,
        SUM,
      );
      const [before, now] = [await weights(history), await weights(after(history, next))];
      const row = slice.rows[0] as number;
      lengths.push((now[2 * row] as number) - (before[2 * row] as number));
      history = after(history, next);
    }
    // The first cycle has three rounds without a head, so each of these is its row's first step of Adam: η.
    for (const length of lengths) expect(length).toBeCloseTo(0.1, 5);
  });

  it('has the most popular rows as its head from the second cycle on, and every row once a cycle', async () => {
    const { shelf, config, blobs, ...start } = await openShelf();
    let { history } = start;
    /** The higher the row, the more popular; row 0 is loved, but only from the second cycle on. */
    const popularity = (row: number): number => (row === 0 && history.round >= 3 ? 5 : row / ITEMS);
    const heads: number[][] = [];
    const seen = new Set<number>();
    for (let round = 1; round <= 3 + 2 * 5; round++) {
      const slice = await shelf.publish(history);
      slice.rows.forEach((row) => seen.add(row));
      const { head, page, pages } = sliceTurn({ items: ITEMS, ...SIZE }, round);
      const packed = decodeSlice(await blobs.get(slice.description.blobHash), config.model, {
        rows: 10,
        head,
      });
      heads.push([...packed.head]);
      if (page === pages - 1) {
        expect(seen.size).toBe(ITEMS);
        seen.clear();
      }
      history = after(
        history,
        await shelf.commit(history, updateOf(config, slice.rows, popularity), slice, SUM),
      );
    }
    expect(heads.slice(0, 3)).toEqual([[], [], []]);
    for (const head of heads.slice(3, 8)) expect(head).toEqual([26, 27, 28, 29]);
    for (const head of heads.slice(8)) expect(head).toEqual([0, 27, 28, 29]);
    const state = decodeSliceState(await blobs.get(history.sliceHash ?? ''), ITEMS);
    expect(state.steps[29]).toBe(1 + 2 * 5);
    expect(state.popularity[29]).toBeCloseTo(29 / ITEMS, 5);
  });

  it('leaves the last two slices for late clients, and no others', async () => {
    const { shelf, config, blobs, ...start } = await openShelf();
    let { history } = start;
    const published: string[] = [];
    for (let round = 1; round <= 4; round++) {
      const slice = await shelf.publish(history);
      published.push(slice.description.blobHash);
      history = after(
        history,
        await shelf.commit(
          history,
          updateOf(config, slice.rows, () => 0),
          slice,
          SUM,
        ),
      );
    }
    const there = await Promise.all(published.map(async (hash) => (await blobs.get(hash)) !== undefined));
    expect(there).toEqual([false, false, true, true]);
  });

  it('goes on with moments that a task has from before it sliced, or from slices of another size', async () => {
    const { shelf, history, config, blobs } = await openShelf();
    const late = { ...history, round: 7 };
    const slice = await shelf.publish(late);
    const { sliceHash } = await shelf.commit(
      late,
      updateOf(config, slice.rows, () => 1),
      slice,
      SUM,
    );
    const state = decodeSliceState(await blobs.get(sliceHash), ITEMS);
    expect(new Set(state.steps)).toEqual(new Set([7, 8]));
    const wider = { ...SIZE, head: 6 };
    const changed = new SliceShelf({ ...config, slice: wider }, wider, hashes, { blobs, crypto });
    expect((await changed.publish({ ...late, round: 9, sliceHash })).rows).toHaveLength(10);
  });
});
