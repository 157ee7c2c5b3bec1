/**
 * The costs of secure aggregation, each against the keystream that it cannot do without:
 *
 * - a client's masks: its time over (bytes of stream ÷ the generator's own rate), at most 1.3;
 * - the coordinator's unmasking: its time over (bytes of stream ÷ the rate ÷ two threads), at most 1.5; 0.25 s for 100 clients;
 * - 100 key bundles: at most 20 ms.
 *
 * A rate is that of one stream added to a vector of the same length, taken again before each timed run: ratios then hold on a
 * machine that is shared. Every result is compared with a slow version first.
 *
 *     node --import ./packages/base/source.js packages/secure-aggregation/bench/marks.bench.ts [client|coordinator|bundles]
 */
import { createCipheriv } from 'node:crypto';
import { cpus } from 'node:os';
import { seededRandom } from '@tutti/base';
import {
  addBundle,
  collectKeys,
  maskInput,
  recoverMasks,
  typescriptKeystream,
  wasmKeystream,
  type ClientShared,
  type CryptoSuite,
  type KeystreamGenerator,
  type QuantizedInput,
} from '../src/index.ts';
import { nodeCrypto, nodeKeystream, openUnmaskPool } from '../src/node.ts';
import { selfSeed, pairSign } from '../src/share-records.ts';
import { advertise, good, maskAll, rulesOfDegree, shareAll } from './group.ts';

const lines: string[] = [];
const say = (line: string): void => void (lines.push(line), process.stdout.write(`${line}\n`));
const generators = [nodeKeystream, wasmKeystream(), typescriptKeystream].filter(
  (generator): generator is KeystreamGenerator => generator !== undefined,
);

const now = (): number => performance.now();
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number;
const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 1);

function inputOf(words: number): QuantizedInput {
  const random = seededRandom('bench').fork(words);
  return Uint32Array.from({ length: words }, () => random.uint32()) as QuantizedInput;
}

/** Bytes of stream a millisecond, of one stream over `words` words: the best of some tries, since nothing makes it faster. */
function rateOf(generator: KeystreamGenerator, words: number, tries = 5): number {
  const target = new Uint32Array(words);
  const seed = new Uint8Array(32).fill(7);
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < tries; i++) {
    const started = now();
    generator.add(target, seed, 1);
    least = Math.min(least, now() - started);
  }
  return (4 * words) / least;
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
function clientMarks(): void {
  say('');
  say('| generator | d | k | masks, ms | bound, ms | ratio | median ratio |');
  say('| --- | --: | --: | --: | --: | --: | --: |');
  for (const generator of generators)
    for (const words of [100_000, 1_000_000]) for (const k of [20, 50, 100]) clientMark(generator, words, k);
}

function clientMark(generator: KeystreamGenerator, words: number, k: number): void {
  const input = inputOf(words);
  const runs = words > 500_000 ? 5 : 9;
  const { clients, collecting } = shareAll(k + 1, rulesOfDegree(k + 1, k), withGenerator(generator));
  const results = clients.slice(0, runs + 1).map((client, run) => {
    const relayed = collecting.relay(client.own.id);
    const expected = run === 0 ? slowMask(client, input) : undefined;
    const bound = (4 * words * (k + 1)) / rateOf(generator, words);
    const started = now();
    const { masked } = maskInput(client, relayed, input);
    const took = now() - started;
    if (
      expected !== undefined &&
      Buffer.compare(Buffer.from(masked.buffer), Buffer.from(expected.buffer)) !== 0
    )
      throw new Error('masked input differs from the slow version');
    return { took, bound, ratio: took / bound };
  });
  // The first run warms up, and is the one that was compared.
  const timed = results.slice(1);
  const best = timed.reduce((a, b) => (b.ratio < a.ratio ? b : a));
  say(
    `| ${generator.name} | ${words} | ${k} | ${ms(best.took)} | ${ms(best.bound)} | ${best.ratio.toFixed(2)} | ${median(timed.map(({ ratio }) => ratio)).toFixed(2)} |`,
  );
}

/** Phase 6 of one group on two threads, d = 118,592, k = 50, 5 % dropouts. */
async function coordinatorMarks(): Promise<void> {
  const words = 118_592;
  const [workers, runs] = [2, 4];
  say('');
  say(
    '| n | k, t | streams | recover, ms | remove, ms | both, ms | bound on 2 threads, ms | ratio | memory, vectors |',
  );
  say('| --: | --- | --: | --: | --: | --: | --: | --: | --: |');
  for (const members of [100, 1_000]) {
    const input = inputOf(words);
    const dropped = members / 20;
    const group = shareAll(members, rulesOfDegree(members, 50), nodeCrypto);
    const { unmasking, sum } = maskAll(group, input, dropped);
    const { degree, threshold } = unmasking.shape;
    const pool = openUnmaskPool({ workers });
    pool.prepare();
    const timed = [];
    for (let run = 0; run <= runs; run++) {
      const target = sum.slice();
      const rate = rateOf(nodeKeystream, words, 9);
      const before = process.memoryUsage();
      const started = now();
      const masks = good(recoverMasks(unmasking));
      const streams = masks.secrets.reduce(
        (count, one) => count + (one.kind === 'self-seed' ? 1 : one.peers.length),
        0,
      );
      const recovered = now();
      await pool.remove(target, masks);
      const ended = now();
      const held = process.memoryUsage().arrayBuffers - before.arrayBuffers;
      if (target.some((word, i) => word !== Math.imul(members - dropped, input[i] as number) >>> 0))
        throw new Error('the secure sum is not the plain sum');
      const bound = (4 * words * streams) / rate / workers;
      timed.push({
        recover: recovered - started,
        remove: ended - recovered,
        both: ended - started,
        bound,
        streams,
        held,
      });
    }
    await pool.close();
    const best = timed.slice(1).reduce((a, b) => (b.both / b.bound < a.both / a.bound ? b : a));
    say(
      `| ${members} | ${degree}, ${threshold} | ${best.streams} | ${ms(best.recover)} | ${ms(best.remove)} | ${ms(best.both)} | ${ms(best.bound)} | ${(best.both / best.bound).toFixed(2)} | ${(best.held / 4 / words).toFixed(1)} |`,
    );
  }
}

/** Phase 1 on the coordinator: 100 bundles, each checked whole. */
function bundleMarks(): void {
  const members = 100;
  const { roundDigest, clients } = advertise(members, nodeCrypto);
  const rules = rulesOfDegree(members, members - 1);
  const times = Array.from({ length: 12 }, () => {
    let state = collectKeys({ crypto: nodeCrypto, roundDigest, rules, largest: members, smallest: 2 });
    const started = now();
    for (const { bundle } of clients) state = good(addBundle(state, bundle));
    return now() - started;
  }).slice(2);
  say('');
  say('| 100 key bundles checked, ms | median |');
  say('| --: | --: |');
  say(`| ${ms(Math.min(...times))} | ${ms(median(times))} |`);
}

const asked = process.argv[2];
say(
  `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
);
say('');
say('| generator | own rate over 118,592 words, GB/s |');
say('| --- | --: |');
for (const generator of generators)
  say(`| ${generator.name} | ${(rateOf(generator, 118_592, 40) / 1e6).toFixed(2)} |`);
if (asked === undefined || asked === 'bundles') bundleMarks();
if (asked === undefined || asked === 'coordinator') await coordinatorMarks();
if (asked === undefined || asked === 'client') clientMarks();
