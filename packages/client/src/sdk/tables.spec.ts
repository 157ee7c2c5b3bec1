import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { keepLocal, seededRandom, toHex } from '@tutti/base';
import { openTrainingEngine } from '@tutti/engine-simd';
import {
  createModel,
  encodeCheckpoint,
  modelOfRows,
  resolveModelConfig,
  takeRows,
  wholeTableOf,
} from '@tutti/model';
import type { RoundDescription, TaskInfo } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryClientStore } from '../memory-store.ts';
import type { RoundSlice } from '../slice.ts';
import { openDownloads } from './http.ts';
import { shareEngine, type SharedEngine } from './shared-engine.ts';
import { openTables, type Tables } from './tables.ts';

const ITEMS = 12;
const model = createModel(
  resolveModelConfig({ family: 'mf', dimension: 2 }, { items: ITEMS, meanHistory: 5 }),
  ITEMS,
);
/** Item i scores i under this vector and the first weights, and 100 + i under the later ones. */
const VECTOR = keepLocal(Float32Array.of(1, 0));
const weightsFrom = (first: number): Float32Array =>
  Float32Array.from({ length: 2 * ITEMS }, (_, at) => (at % 2 === 0 ? first + at / 2 : 0));

describe('the tables of a device', () => {
  let server: Server;
  let engine: SharedEngine;
  let tables: Tables;
  const blobs = new Map<string, Uint8Array>();
  const asked: string[] = [];

  const put = (bytes: Uint8Array): string => {
    const hash = toHex(nodeCrypto.digest('blob', bytes));
    blobs.set(hash, bytes);
    return hash;
  };
  const checkpoint = (first: number): string =>
    put(encodeCheckpoint({ layout: model.layout, shared: weightsFrom(first), metadata: {} }));
  /** A slice of these rows; its bytes stand for themselves, since what reads them is passed in. */
  const slice = (rows: number[], first: number): [RoundDescription, () => RoundSlice] => {
    const bytes = seededRandom(`${rows.join()} ${first}`);
    const blob = Uint8Array.from({ length: 50 }, () => bytes.int(256));
    const part: RoundSlice = {
      rows: Uint32Array.from(rows),
      model: modelOfRows(model, rows.length),
      shared: takeRows(model, weightsFrom(first), Uint32Array.from(rows)),
      whole: wholeTableOf(model, weightsFrom(first)),
    };
    const description = { slice: { blobHash: put(blob), bytes: 50 } } as RoundDescription;
    return [description, () => part];
  };
  const scores = async (): Promise<{ rows: number[] | undefined; scores: number[] }> => {
    const { rows, loaded } = await tables.newest(checkpoint(0));
    return { rows: rows && [...rows], scores: [...(await loaded.score(VECTOR))] };
  };

  beforeEach(async () => {
    blobs.clear();
    asked.length = 0;
    server = createServer((request, response) => {
      const hash = request.url?.split('/').at(-1) ?? '';
      asked.push(hash);
      const bytes = blobs.get(hash);
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    engine = shareEngine(async (wanted) => ({
      engine: await openTrainingEngine({ model: wanted, engine: 'ts' }),
      notes: [],
    }));
    tables = openTables({
      downloads: openDownloads(
        `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        fetch,
        nodeCrypto,
      ),
      crypto: nodeCrypto,
      task: { layoutHash: '22'.repeat(32) } as TaskInfo,
      model,
      store: memoryClientStore(),
      engine,
    });
  });
  afterEach(async () => {
    engine.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('are the newest checkpoint where nothing is here, which is fetched once', async () => {
    expect(await scores()).toEqual({ rows: undefined, scores: Array.from({ length: ITEMS }, (_, i) => i) });
    await scores();
    expect(asked).toHaveLength(1);
  });

  it('are the rows of the slices that came, without a checkpoint', async () => {
    const opened = await tables.openSlice(...slice([1, 4, 7], 0));
    expect([...(opened.rows ?? [])]).toEqual([1, 4, 7]);
    expect([...(await opened.loaded.score(VECTOR))]).toEqual([1, 4, 7]);
    await tables.openSlice(...slice([2, 4], 100));
    expect(await scores()).toEqual({ rows: [1, 2, 4, 7], scores: [1, 102, 104, 7] });
    expect(asked).toHaveLength(2);
  });

  it('are a checkpoint with the slices that came after it laid over it', async () => {
    await tables.openSlice(...slice([3], 50));
    await tables.open(checkpoint(0));
    await tables.openSlice(...slice([2, 4], 100));
    const expected = Array.from({ length: ITEMS }, (_, i) => (i === 2 || i === 4 ? 100 + i : i));
    expect(await scores()).toEqual({ rows: undefined, scores: expected });
    await tables.open(checkpoint(200));
    expect((await scores()).scores).toEqual(Array.from({ length: ITEMS }, (_, i) => 200 + i));
  });

  it('lose none of several slices that come at once', async () => {
    await Promise.all(
      [
        [0, 1],
        [5, 6],
        [9, 11],
      ].map((rows) => tables.openSlice(...slice(rows, 0))),
    );
    expect((await scores()).rows).toEqual([0, 1, 5, 6, 9, 11]);
  });

  it('keep nothing of a slice that is refused, is not what its hash names, or is longer than announced', async () => {
    const [good, read] = slice([1, 2], 0);
    await expect(
      tables.openSlice(good, () => {
        throw new Error('slice.rowsHash');
      }),
    ).rejects.toThrow('slice.rowsHash');
    const [other] = slice([3, 4], 0);
    blobs.set(other.slice?.blobHash ?? '', new Uint8Array(50));
    await expect(tables.openSlice(other, read)).rejects.toThrow('is not blob');
    const [longer] = slice([5, 6], 0);
    const cut = { slice: { ...longer.slice, bytes: 49 } } as RoundDescription;
    await expect(tables.openSlice(cut, read)).rejects.toThrow('more than the 49 bytes');
    expect((await scores()).rows).toBeUndefined();
  });
});
