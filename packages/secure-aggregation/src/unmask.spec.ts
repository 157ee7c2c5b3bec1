import type { Worker } from 'node:worker_threads';
import { seededRandom, systemRandom, utf8 } from '@tutti/base';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  localUnmasker,
  UnmaskingError,
  type ClientId,
  type CohortDigest,
  type RecoveredMasks,
  type RecoveredSecret,
  type Unmasker,
} from './index.ts';
import { clientIdOf } from './ids.ts';
import { nodeCrypto as crypto, openUnmaskPool } from './node.ts';
import { batchesOf, streamsOf } from './unmask.ts';

const random = systemRandom();
const cohortDigest = crypto.digest('cohort', utf8('test')) as CohortDigest;
const newId = (): ClientId => clientIdOf(random.bytes(32), crypto);

const selfSeed = (): RecoveredSecret => ({ kind: 'self-seed', owner: newId(), secret: random.bytes(32) });
const maskKey = (peers: number): RecoveredSecret => ({
  kind: 'mask-key',
  owner: newId(),
  secret: random.bytes(32),
  peers: Array.from({ length: peers }, () => ({ id: newId(), maskKey: crypto.boxKeyPair(random).publicKey })),
});

/** Masks of `survivors` and of one dropped member for each of `dropped`, which is the number of its neighbours. */
const masksOf = (survivors: number, dropped: readonly number[]): RecoveredMasks => ({
  phase: 'recovered',
  cohortDigest,
  secrets: [...Array.from({ length: survivors }, selfSeed), ...dropped.map(maskKey)],
  culprits: [],
});

const copyOf = (masks: RecoveredMasks): RecoveredMasks => structuredClone(masks);

/** The slow version: one stream after another, each expanded by itself and subtracted from what it was added to. */
function expectedSum(start: Uint32Array, masks: RecoveredMasks): Uint32Array {
  const sum = start.slice();
  for (const secret of copyOf(masks).secrets)
    for (const { seed, sign } of streamsOf(secret, cohortDigest, crypto)) {
      const stream = new Uint32Array(sum.length);
      crypto.addKeystream(stream, seed, 1);
      stream.forEach((word, i) => (sum[i] = (sum[i] as number) + sign * word));
    }
  return sum;
}

const isWiped = ({ secrets }: RecoveredMasks): boolean =>
  secrets.every(({ secret }) => secret.every((byte) => byte === 0));

/** Threads that were started while `work` ran: Node tells of each. */
async function threadsOf<T>(work: () => T): Promise<{ result: Awaited<T>; threads: Worker[] }> {
  const threads: Worker[] = [];
  const onWorker = (worker: Worker): void => void threads.push(worker);
  process.on('worker', onWorker);
  try {
    const result = await work();
    // Node tells of a thread in the next tick.
    await new Promise((resolve) => setImmediate(resolve));
    return { result, threads };
  } finally {
    process.off('worker', onWorker);
  }
}

const opened: Unmasker[] = [];
const pool = (options?: Parameters<typeof openUnmaskPool>[0]): Unmasker => {
  const made = openUnmaskPool(options);
  opened.push(made);
  return made;
};
afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())));

describe.each<[string, () => Unmasker]>([
  ['this thread', () => localUnmasker(crypto)],
  ['one other thread', () => pool({ workers: 1 })],
  ['three other threads', () => pool({ workers: 3 })],
])('masks removed in %s', (_name, open) => {
  it('leave the sum that the slow version leaves, and no secret', async () => {
    const unmasker = open();
    const cases = fc.record({
      words: fc.integer({ min: 1, max: 300 }),
      survivors: fc.integer({ min: 0, max: 80 }),
      dropped: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 4 }),
      seed: fc.integer(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ words, survivors, dropped, seed }) => {
        const stream = seededRandom(seed);
        const sum = Uint32Array.from({ length: words }, () => stream.uint32());
        const masks = masksOf(survivors, dropped);
        const expected = expectedSum(sum, masks);
        await unmasker.remove(sum, masks);
        expect(sum).toEqual(expected);
        expect(isWiped(masks)).toBe(true);
      }),
      { numRuns: 8, seed: 12 },
    );
  }, 120_000);

  it('of several sums at once are each those of their own', async () => {
    const unmasker = open();
    const work = Array.from({ length: 4 }, (_, i) => {
      const sum = new Uint32Array(50 + i).fill(i);
      const masks = masksOf(5 + i, [3]);
      return { sum, masks, expected: expectedSum(sum, masks) };
    });
    await Promise.all(work.map(({ sum, masks }) => unmasker.remove(sum, masks)));
    for (const { sum, expected } of work) expect(sum).toEqual(expected);
  }, 60_000);

  it('that cannot be removed end by name; secrets are wiped, and the next sum is right', async () => {
    const unmasker = open();
    const bad = masksOf(2, [2]);
    const [, , dropped] = bad.secrets;
    if (dropped?.kind === 'mask-key') dropped.peers[1]?.maskKey.fill(0);
    await expect(unmasker.remove(new Uint32Array(9), bad)).rejects.toThrow('low-order points');
    expect(isWiped(bad)).toBe(true);
    const masks = masksOf(3, [2]);
    const sum = new Uint32Array(9);
    const expected = expectedSum(sum, masks);
    await unmasker.remove(sum, masks);
    expect(sum).toEqual(expected);
  }, 60_000);

  it('are not removed once it is closed, and are wiped', async () => {
    const unmasker = open();
    await unmasker.close();
    const masks = masksOf(2, []);
    await expect(unmasker.remove(new Uint32Array(9), masks)).rejects.toBeInstanceOf(UnmaskingError);
    expect(isWiped(masks)).toBe(true);
  });
});

describe('threads that remove masks', () => {
  it('end their sum by name when one of them is killed, and are there again for the next', async () => {
    const unmasker = pool({ workers: 2 });
    const { threads } = await threadsOf(() => unmasker.prepare());
    expect(threads).toHaveLength(2);
    const masks = masksOf(400, [200]);
    const removal = unmasker.remove(new Uint32Array(200_000), masks);
    await threads[0]?.terminate();
    await expect(removal).rejects.toMatchObject({
      name: 'UnmaskingError',
      code: 'secure-aggregation/unmasking-failed',
      message: expect.stringContaining('a thread ended with code') as string,
    });
    expect(isWiped(masks)).toBe(true);
    const next = masksOf(40, [5]);
    const sum = new Uint32Array(100);
    const expected = expectedSum(sum, next);
    await unmasker.remove(sum, next);
    expect(sum).toEqual(expected);
  }, 60_000);

  it('end a sum that takes longer than it may, and wipe its secrets', async () => {
    const unmasker = pool({ workers: 1, timeoutMs: 1 });
    const masks = masksOf(200, []);
    await expect(unmasker.remove(new Uint32Array(1_000_000), masks)).rejects.toThrow(
      'masks took longer than 1 ms',
    );
    expect(isWiped(masks)).toBe(true);
  }, 60_000);

  it('end the sum in work, and those that wait, when they are closed', async () => {
    const unmasker = pool({ workers: 1 });
    const removals = [1, 2, 3].map(() => unmasker.remove(new Uint32Array(200_000), masksOf(100, [])));
    const outcomes = Promise.allSettled(removals);
    await unmasker.close();
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'UnmaskingError' } });
  }, 60_000);

  it('take memory for a vector a thread, whatever the number of clients', async () => {
    const words = 250_000;
    const shared: number[] = [];
    const { SharedArrayBuffer: Real } = globalThis;
    // Targets and secrets are all that the threads are given.
    globalThis.SharedArrayBuffer = class extends Real {
      constructor(length: number) {
        super(length);
        shared.push(length);
      }
    } as SharedArrayBufferConstructor;
    try {
      const unmasker = pool({ workers: 2 });
      await unmasker.remove(new Uint32Array(words), masksOf(60, []));
      for (const clients of [100, 1_000]) {
        shared.length = 0;
        const before = process.memoryUsage().rss;
        let peak = before;
        const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 2);
        await unmasker.remove(new Uint32Array(words), masksOf(clients, []));
        clearInterval(watch);
        expect(shared.filter((length) => length === 4 * words)).toHaveLength(2);
        expect(shared.filter((length) => length === 32)).toHaveLength(clients);
        // A vector is 1 MB. A vector a client would be 100 and 1000 of them.
        expect(peak - before).toBeLessThan(60e6);
      }
    } finally {
      globalThis.SharedArrayBuffer = Real;
    }
  }, 60_000);

  it('let no more than 64 sums wait', async () => {
    const unmasker = pool({ workers: 1 });
    const removals = Array.from({ length: 70 }, () => {
      const masks = masksOf(1, []);
      return unmasker.remove(new Uint32Array(4), masks).then(
        () => 'done',
        (error: Error) => error.message,
      );
    });
    const outcomes = await Promise.all(removals);
    // One in work and 64 that wait.
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(65);
    expect(outcomes.filter((outcome) => /^65 sums wait/.test(outcome))).toHaveLength(5);
  }, 60_000);
});

describe('batches', () => {
  it('hold every secret once, in order, and at most 32 streams unless one secret has more', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 40 }), (sizes) => {
        // A size of 0 stands for a survivor, which has one stream.
        const secrets = sizes.map((peers): RecoveredSecret =>
          peers === 0
            ? { kind: 'self-seed', owner: 'a' as ClientId, secret: new Uint8Array(0) }
            : {
                kind: 'mask-key',
                owner: 'b' as ClientId,
                secret: new Uint8Array(0),
                peers: Array.from({ length: peers }, () => ({
                  id: 'c' as ClientId,
                  maskKey: new Uint8Array(0),
                })),
              },
        );
        const batches = [...batchesOf(secrets)];
        expect(batches.flat()).toEqual(secrets);
        for (const batch of batches) {
          const streams = batch.reduce(
            (sum, one) => sum + (one.kind === 'self-seed' ? 1 : one.peers.length),
            0,
          );
          expect(streams <= 32 || batch.length === 1).toBe(true);
        }
      }),
      { numRuns: 200, seed: 13 },
    );
  });
});
