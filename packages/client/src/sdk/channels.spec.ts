import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { keepLocal, toHex } from '@tutti/base';
import { openTrainingEngine } from '@tutti/engine-simd';
import { createModel, encodeCheckpoint, resolveModelConfig, type LoadedModel } from '@tutti/model';
import {
  manifestDigest,
  promotionDigest,
  type Channel,
  type Manifest,
  type RoundDescription,
  type SignedPromotion,
  type TaskInfo,
} from '@tutti/protocol';
import { nodeCrypto as crypto } from '@tutti/secure-aggregation/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryClientStore } from '../memory-store.ts';
import { openDownloads } from './http.ts';
import { openChannels, type Channels } from './channels.ts';
import { shareEngine, type SharedEngine } from './shared-engine.ts';

const ITEMS = 6;
const model = createModel(
  resolveModelConfig({ family: 'mf', dimension: 2 }, { items: ITEMS, meanHistory: 5 }),
  ITEMS,
);
const hashes = { layoutHash: '22'.repeat(32), catalogueHash: '44'.repeat(32) };
const key = crypto.signKeyPairFromSeed(crypto.digest('released spec'));
const VECTOR = keepLocal(Float32Array.of(1, 0));

/** A checkpoint whose every item scores `value` under the vector. */
const checkpoint = (value: number): Uint8Array =>
  encodeCheckpoint({
    layout: model.layout,
    shared: Float32Array.from({ length: 2 * ITEMS }, () => value),
    metadata: {},
  });

describe('the model on a device’s channel', () => {
  let server: Server;
  let engine: SharedEngine;
  let channels: Channels;
  let bundle: SignedPromotion | undefined;
  let candidate: SignedPromotion | undefined;
  let reopen: (over?: Partial<TaskInfo>) => Channels;
  const blobs = new Map<string, Uint8Array>();
  const problems: string[] = [];
  const task = { ...hashes, task: 'films', coordinatorKey: toHex(key.publicKey) } as TaskInfo;

  /** What the coordinator says, as it signs it; `over` is of the manifest. */
  const signed = (
    sequence: number,
    modelHash: string | null,
    over: Partial<Manifest> = {},
    channel: Channel = 'stable',
  ): SignedPromotion => {
    const manifest: Manifest | null =
      modelHash === null
        ? null
        : {
            ...{ v: 1, task: 'films', round: 1, kind: 'round', atMs: 1, modelHash, ...hashes },
            ...{ parent: null, cohort: null, epsilon: null, metrics: null },
            ...over,
          };
    const named = manifest && toHex(manifestDigest(manifest, crypto));
    const promotion = {
      ...({ v: 1, task: 'films', channel, sequence, atMs: 1, by: 'ada' } as const),
      manifest: named,
    };
    return {
      promotion,
      promotionSignature: toHex(crypto.sign(promotionDigest(promotion, crypto), key.secretKey)),
      manifest,
      manifestSignature: manifest && toHex(crypto.sign(manifestDigest(manifest, crypto), key.secretKey)),
    };
  };
  const jsonOn = (channel: string): string | undefined => {
    const found = channel === 'canary' ? candidate : bundle;
    return found && JSON.stringify(found);
  };
  const put = (bytes: Uint8Array): string => {
    const hash = toHex(crypto.digest('blob', bytes));
    blobs.set(hash, bytes);
    return hash;
  };
  const renew = (): Promise<void> => channels.renew({ ...task, promotions: 1 });
  const scored = async (from = channels): Promise<number | undefined> => {
    const table = await from.table();
    return table && [...(await table.loaded.score(VECTOR))][0];
  };

  beforeEach(async () => {
    blobs.clear();
    problems.length = 0;
    bundle = candidate = undefined;
    server = createServer((request, response) => {
      const path = request.url ?? '';
      const hash = path.split('/').at(-1) ?? '';
      const answer = path.includes('/channels/') ? jsonOn(hash) : blobs.get(hash);
      response.writeHead(answer === undefined ? 404 : 200).end(answer);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    engine = shareEngine(async (wanted) => ({
      engine: await openTrainingEngine({ model: wanted, engine: 'ts' }),
      notes: [],
    }));
    const store = memoryClientStore();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    reopen = (over = {}) =>
      openChannels({
        ...{ downloads: openDownloads(url, fetch, crypto), crypto, model, store, engine },
        task: { ...task, ...over },
        first: 'store',
        onEvent: ({ message }) => void problems.push(message),
      });
    channels = reopen();
  });
  afterEach(async () => {
    engine.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('is taken up, followed, and given up when the channel has none any more', async () => {
    expect(await scored()).toBeUndefined();
    await renew();
    expect([await scored(), problems]).toEqual([undefined, []]);
    bundle = signed(1, put(checkpoint(1)));
    // Nothing is asked for a task of which nothing was promoted.
    await channels.renew(task);
    expect(await scored()).toBeUndefined();
    await renew();
    expect(await scored()).toBe(1);
    bundle = signed(2, put(checkpoint(2)));
    await renew();
    expect(await scored()).toBe(2);
    // After a restart, without a network.
    server.close();
    expect(await scored(reopen())).toBe(2);
    expect(problems).toEqual([]);
  });

  it('goes with the channel, back to none', async () => {
    bundle = signed(1, put(checkpoint(1)));
    await renew();
    bundle = signed(2, null);
    await renew();
    expect([await scored(), problems]).toEqual([undefined, []]);
  });

  const forged = 'ab'.repeat(64);
  it.each<[string, () => SignedPromotion, string]>([
    [
      'a forged signature',
      () => ({ ...signed(2, put(checkpoint(2))), promotionSignature: forged }),
      'promotionSignature',
    ],
    [
      'a forged manifest',
      () => ({ ...signed(2, put(checkpoint(2))), manifestSignature: forged }),
      'manifestSignature',
    ],
    [
      'a manifest of another model',
      () => ({ ...signed(2, put(checkpoint(2))), manifest: signed(2, put(checkpoint(3))).manifest }),
      'is not the one that is named',
    ],
    [
      'a checkpoint that is not the one that is named',
      () => {
        const hash = put(checkpoint(2));
        blobs.set(hash, checkpoint(3));
        return signed(2, hash);
      },
      'is not blob',
    ],
    [
      'a checkpoint that is cut off',
      () => {
        const hash = put(checkpoint(2));
        blobs.set(hash, checkpoint(2).subarray(0, 40));
        return signed(2, hash);
      },
      'is not blob',
    ],
    ['a checkpoint of another model', () => signed(2, put(checkpoint(2).subarray(0, 40))), 'checkpoint'],
    ['a checkpoint that is gone', () => signed(2, '99'.repeat(32)), 'has no blob'],
    ['an older promotion', () => signed(4, put(checkpoint(2))), 'number 4'],
  ])('stays the last good one before %s, and says why', async (_, lie, problem) => {
    bundle = signed(5, put(checkpoint(1)));
    await renew();
    bundle = lie();
    if (bundle.promotion.sequence === 2) bundle = resequenced(lie(), 6);
    await renew();
    expect(await scored()).toBe(1);
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(await scored(reopen())).toBe(1);
  });

  /** The same lie, later: signed anew where it was signed rightly. */
  function resequenced(lie: SignedPromotion, sequence: number): SignedPromotion {
    const promotion = { ...lie.promotion, sequence };
    const promotionSignature =
      lie.promotionSignature === forged
        ? forged
        : toHex(crypto.sign(promotionDigest(promotion, crypto), key.secretKey));
    return { ...lie, promotion, promotionSignature };
  }

  it('of another catalogue is left alone: the newest model is of the one now', async () => {
    bundle = signed(1, put(checkpoint(1)));
    await renew();
    expect(await scored(reopen({ catalogueHash: '55'.repeat(32) }))).toBeUndefined();
    bundle = signed(2, put(checkpoint(2)), { layoutHash: '66'.repeat(32) });
    await renew();
    expect([await scored(), problems]).toEqual([1, []]);
  });

  describe('in a comparison', () => {
    const lanes = (sequence: number, figure = 'ndcg10'): RoundDescription =>
      ({
        purpose: 'evaluate',
        lanes: {
          metrics: ['compared', 'gained', 'lost', 'squared'].map((what) => `${figure}-${what}-${sequence}`),
        },
      }) as unknown as RoundDescription;
    /** What a person finds of a model: what its every item scores, in hundredths. */
    const measure = async (loaded: LoadedModel): Promise<Record<string, number>> => ({
      ndcg10: (await loaded.score(VECTOR))[0]! / 100,
    });
    const compare = (description = lanes(3)) => channels.compare(description, measure);
    beforeEach(() => {
      bundle = signed(2, put(checkpoint(50)));
      candidate = signed(3, put(checkpoint(75)), {}, 'canary');
    });

    it('tells what a person gains or loses by the candidate, and keeps nothing', async () => {
      expect(await compare()).toEqual({
        ...{
          'ndcg10-compared-3': 1,
          'ndcg10-gained-3': 0.25,
          'ndcg10-lost-3': 0,
          'ndcg10-squared-3': 0.0625,
        },
      });
      candidate = signed(4, put(checkpoint(25)), {}, 'canary');
      expect(await compare(lanes(4))).toMatchObject({ 'ndcg10-gained-4': 0, 'ndcg10-lost-4': 0.25 });
      expect([await scored(), problems]).toEqual([undefined, []]);
    });

    it('is none of its business where a description asks for none', async () => {
      for (const metrics of [
        [],
        ['loss', 'hr10', 'ndcg10', 'evaluated'],
        ['hr10-compared-'],
        ['x-compared-3'],
      ])
        expect(await compare({ ...lanes(3), lanes: { metrics } } as never)).toBeUndefined();
      expect(await compare({ ...lanes(3), purpose: 'train' })).toBeUndefined();
    });

    it.each<[string, () => void, RegExp | undefined]>([
      [
        'a candidate of another promotion',
        () => void (candidate = signed(4, put(checkpoint(1)), {}, 'canary')),
        undefined,
      ],
      ['an incumbent that came after it', () => void (bundle = signed(5, put(checkpoint(1)))), undefined],
      ['no incumbent', () => void (bundle = signed(2, null)), undefined],
      ['nothing on the channels', () => void (candidate = undefined), undefined],
      [
        'a candidate of another catalogue',
        () => void (candidate = signed(3, put(checkpoint(1)), { catalogueHash: '55'.repeat(32) }, 'canary')),
        undefined,
      ],
      [
        'the incumbent in place of the candidate',
        () => void (candidate = signed(3, put(checkpoint(1)))),
        /is of films stable/,
      ],
      [
        'a forged candidate',
        () => void (candidate = { ...candidate!, promotionSignature: forged }),
        /promotionSignature/,
      ],
      [
        'a checkpoint that is gone',
        () => void (candidate = signed(3, '99'.repeat(32), {}, 'canary')),
        /has no blob/,
      ],
    ])('adds nothing with %s', async (_, change, problem) => {
      change();
      expect(await compare()).toEqual({});
      expect(problems).toEqual(problem === undefined ? [] : [expect.stringMatching(problem)]);
    });

    it('adds nothing for a person without a held-out item', async () => {
      expect(await channels.compare(lanes(3), async () => ({}))).toEqual({});
    });
  });
});
