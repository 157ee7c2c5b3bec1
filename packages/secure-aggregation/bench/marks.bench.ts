/**
 * The costs of secure aggregation, each against the keystream that it cannot do without:
 *
 * - a client's masks: their time over (bytes of stream ÷ the generator's own rate), at most 1.3;
 * - the coordinator's unmasking of 1,000 clients: its time over (bytes of stream ÷ the rate of two threads), at most 1.5; of 100
 *   clients, at most 0.25 s; and the memory that both take;
 * - 100 key bundles: at most 20 ms.
 *
 * A rate is that of a generator at its best, many streams added to a vector of the same length, taken just before and just after
 * each timed run, on as many threads: ratios then hold on a machine that is shared. Every result is compared with a slow version first.
 *
 *     node --import ./packages/base/source.js packages/secure-aggregation/bench/marks.bench.ts [client|coordinator|bundles]
 */
import { createCipheriv } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { seededRandom } from '@tutti/base';
import {
  addBundle,
  collectKeys,
  maskInput,
  recoverMasks,
  type ClientShared,
  type CryptoSuite,
  type KeystreamGenerator,
  type QuantizedInput,
} from '../src/index.ts';
import { fastestKeystream } from '../src/portable.ts';
import { nodeCrypto, openUnmaskPool } from '../src/node.ts';
import { selfSeed, pairSign } from '../src/share-records.ts';
import { advertise, good, maskAll, rulesOfDegree, shareAll } from './group.ts';
import { generators, openMeasuringThreads, ownTime } from './own-time.ts';

const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const now = (): number => performance.now();
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] as number;
const fixed = (value: number): string => value.toFixed(value < 10 ? 2 : 1);
const spread = (values: readonly number[]): string =>
  `${fixed(Math.min(...values))} – ${fixed(Math.max(...values))}`;

function inputOf(words: number): QuantizedInput {
  const random = seededRandom('bench').fork(words);
  return Uint32Array.from({ length: words }, () => random.uint32()) as QuantizedInput;
}

/** What a stream takes at the generator's own rate, in milliseconds; `streams` of them are tried. */
type Own = (streams: number) => number | Promise<number>;

/** What `work` takes, in milliseconds, and what its streams take at the generator's own rate, measured before and after it. */
async function timed<T>(
  own: Own,
  streams: number,
  work: () => T | Promise<T>,
): Promise<{ result: T; took: number; bound: number; ratio: number }> {
  const tried = Math.max(3, Math.min(60, Math.ceil(streams / 4)));
  const before = await own(tried);
  const started = now();
  const result = await work();
  const took = now() - started;
  const bound = (streams * (before + (await own(tried)))) / 2;
  return { result, took, bound, ratio: took / bound };
}

/** What a client's upload must be, from its seeds, each stream expanded by OpenSSL and added by itself. */
function slowMask({ own, cohort, members, pairSeeds }: ClientShared, input: QuantizedInput): Uint32Array {
  const sum = input.slice();
  const add = (seed: Uint8Array, sign: 1 | -1): void => {
    const bytes = createCipheriv('chacha20', seed, new Uint8Array(16)).update(new Uint8Array(4 * sum.length));
    const words = new Uint32Array(new Uint8Array(bytes).buffer);
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + sign * (words[i] as number);
  };
  add(selfSeed(cohort, own.id, own.seed, nodeCrypto), 1);
  for (const [at, seed] of pairSeeds) add(seed, pairSign(own.id, members[at]?.id ?? own.id));
  return sum;
}

const withGenerator = ({ add, addAll }: KeystreamGenerator): CryptoSuite => ({
  ...nodeCrypto,
  addKeystream: add,
  addKeystreams: addAll,
});

/** One client's phase 3, in a complete group of k + 1. */
async function clientMarks(): Promise<void> {
  say();
  say('| generator | d | k | masks, ms | bound, ms | ratio | spread |');
  say('| --- | --: | --: | --: | --: | --: | --- |');
  for (const generator of generators)
    for (const words of [100_000, 1_000_000])
      for (const k of [20, 50, 100]) await clientMark(generator, words, k);
}

async function clientMark(generator: KeystreamGenerator, words: number, k: number): Promise<void> {
  const input = inputOf(words);
  const runs = words > 500_000 ? 7 : 15;
  const { clients, collecting } = shareAll(k + 1, rulesOfDegree(k + 1, k), withGenerator(generator));
  const results = [];
  for (const client of clients.slice(0, runs + 1)) {
    const relayed = collecting.relay(client.own.id);
    // The first run warms up, and is the one that is compared.
    const expected = results.length === 0 ? slowMask(client, input) : undefined;
    const own: Own = (tried) => ownTime(generator, words, tried);
    const one = await timed(own, k + 1, () => maskInput(client, relayed, input));
    if (expected !== undefined && Buffer.compare(bytes(one.result.masked), bytes(expected)) !== 0)
      throw new Error('masked input differs from the slow version');
    results.push(one);
  }
  const rest = results.slice(1);
  const ratios = rest.map(({ ratio }) => ratio);
  say(
    `| ${generator.name} | ${words} | ${k} | ${fixed(median(rest.map(({ took }) => took)))} | ${fixed(median(rest.map(({ bound }) => bound)))} | ${fixed(median(ratios))} | ${spread(ratios)} |`,
  );
}

const bytes = (words: Uint32Array): Buffer => Buffer.from(words.buffer);

/** Phase 6 of one group on two threads, d = 118,592, k = 50, 5 % dropouts. */
async function coordinatorMarks(): Promise<void> {
  say();
  say(
    '| n | k, t | streams | recover, ms | all, ms | spread | bound on 2 threads, ms | ratio | spread | peak memory, MB |',
  );
  say('| --: | --- | --: | --: | --: | --- | --: | --: | --- | --: |');
  for (const members of [100, 1_000]) await coordinatorMark(members);
}

async function coordinatorMark(members: number): Promise<void> {
  const [words, threads, runs] = [118_592, 2, 7];
  const generator = fastestKeystream(generators);
  const measuring = openMeasuringThreads(threads);
  const own: Own = (tried) => measuring.ownTime(generator, words, tried);
  await own(3);
  const input = inputOf(words);
  const dropped = members / 20;
  const { unmasking, sum } = maskAll(
    shareAll(members, rulesOfDegree(members, 50), nodeCrypto),
    input,
    dropped,
  );
  const { degree, threshold } = unmasking.shape;
  const streams = good(recoverMasks(unmasking)).secrets.reduce(
    (count, one) => count + (one.kind === 'self-seed' ? 1 : one.peers.length),
    0,
  );
  const pool = openUnmaskPool({ workers: threads });
  const results = [];
  for (let run = 0; run <= runs; run++) {
    const target = sum.slice();
    const peak = peakMemory();
    const one = await timed(own, streams, async () => {
      const started = now();
      const masks = good(recoverMasks(unmasking));
      const recovered = now() - started;
      await pool.remove(target, masks);
      return { recovered, megabytes: peak() };
    });
    if (target.some((word, i) => word !== Math.imul(members - dropped, input[i] as number) >>> 0))
      throw new Error('the secure sum is not the plain sum');
    results.push(one);
  }
  await pool.close();
  await measuring.close();
  // The first run starts the threads.
  const rest = results.slice(1);
  const [times, ratios] = [rest.map(({ took }) => took), rest.map(({ ratio }) => ratio)];
  say(
    `| ${members} | ${degree}, ${threshold} | ${streams} | ${fixed(median(rest.map(({ result }) => result.recovered)))} | ${fixed(median(times))} | ${spread(times)} | ${fixed(median(rest.map(({ bound }) => bound)))} | ${fixed(median(ratios))} | ${spread(ratios)} | ${fixed(Math.max(...rest.map(({ result }) => result.megabytes)))} |`,
  );
}

/** Tells how much more memory the process ever held since now, in MB; Linux keeps the peak, and forgets it when asked to. */
function peakMemory(): () => number {
  const held = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1_000;
  (globalThis as { gc?: () => void }).gc?.();
  writeFileSync('/proc/self/clear_refs', '5');
  const before = held('VmRSS');
  return () => held('VmHWM') - before;
}

/** Phase 1 on the coordinator: 100 bundles, each checked whole. */
function bundleMarks(): void {
  const members = 100;
  const { roundDigest, clients } = advertise(members, nodeCrypto);
  const rules = rulesOfDegree(members, members - 1);
  const times = Array.from({ length: 22 }, () => {
    let state = collectKeys({ crypto: nodeCrypto, roundDigest, rules, largest: members, smallest: 2 });
    const started = now();
    for (const { bundle } of clients) state = good(addBundle(state, bundle));
    return now() - started;
  }).slice(2);
  say();
  say('| 100 key bundles checked, ms | spread |');
  say('| --: | --- |');
  say(`| ${fixed(median(times))} | ${spread(times)} |`);
}

const asked = process.argv[2];
say(
  `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}; chosen: ${fastestKeystream(generators).name}`,
);
say();
say('| generator | own rate over 118,592 words, GB/s |');
say('| --- | --: |');
for (const generator of generators)
  say(`| ${generator.name} | ${((4 * 118_592) / ownTime(generator, 118_592, 40) / 1e6).toFixed(2)} |`);
if (asked === undefined || asked === 'bundles') bundleMarks();
if (asked === undefined || asked === 'coordinator') await coordinatorMarks();
if (asked === undefined || asked === 'client') await clientMarks();
