/**
 * A simulated secure round of 100 clients with 50 neighbours each over 118,592 words, training included, against the keystream
 * that it cannot do without: its time over (bytes of stream ÷ the rate of the fastest generator on all threads), at most 1.5.
 *
 * The rate is taken before and after each simulation. Rounds with and without masks must end in the same checkpoint.
 *
 *     node --import ./packages/base/source.js packages/simulation/bench/round.bench.ts
 */
import { availableParallelism, cpus } from 'node:os';
import { generateFilmShelf } from '@tutti/datasets';
import { fastestKeystream } from '@tutti/secure-aggregation/portable';
import { simulate, type SimulationOptions } from '../src/index.ts';
// eslint-disable-next-line @nx/enforce-module-boundaries -- one way to measure, and no package for it
import { generators, openMeasuringThreads } from '../../secure-aggregation/bench/own-time.ts';

const [CLIENTS, NEIGHBOURS, ITEMS, DIMENSION] = [100, 50, 3_706, 32];
const [RUNS, ROUNDS] = [5, 5];
const words = ITEMS * DIMENSION;
const threads = availableParallelism();
/** Each client's own stream and one for each neighbour; the coordinator takes the own ones away again. */
const streams = CLIENTS * (1 + NEIGHBOURS) + CLIENTS;

const options: SimulationOptions = {
  dataset: generateFilmShelf({ seed: 1, users: 300, items: ITEMS }),
  model: { family: 'mf', dimension: DIMENSION },
  cohort: CLIENTS,
  rounds: ROUNDS,
  seed: 1,
  workers: threads,
  // 50 neighbours, 29 of whom rebuild a secret.
  graph: { corruptPermille: 280, dropoutPermille: 200, largestComplete: 2 },
};

async function secondsOf(protocol: 'plain' | 'secure'): Promise<{ seconds: number[]; hash: string }> {
  const seconds: number[] = [];
  const { checkpointHash } = await simulate({
    ...options,
    protocol,
    onRound: (round) => void seconds.push(round.seconds),
  });
  return { seconds, hash: checkpointHash };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number;
const spread = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(2)} – ${Math.max(...values).toFixed(2)}`;

const generator = fastestKeystream(generators);
const measuring = openMeasuringThreads(threads);
await measuring.ownTime(generator, words, 20);
const plain = await secondsOf('plain');
const results = [];
for (let run = 0; run < RUNS; run++) {
  const before = await measuring.ownTime(generator, words, 150);
  const { seconds, hash } = await secondsOf('secure');
  if (hash !== plain.hash) throw new Error('masked and plain rounds ended in different checkpoints');
  const own = (before + (await measuring.ownTime(generator, words, 150))) / 2;
  // The first round makes the identities, which a population does once.
  const round = median(seconds.slice(1));
  const bound = (own * streams) / 1_000;
  results.push({ round, bound, ratio: round / bound });
}
await measuring.close();
const rounds = results.map(({ round }) => round);
const ratios = results.map(({ ratio }) => ratio);
process.stdout.write(
  [
    `${CLIENTS} clients, ${NEIGHBOURS} neighbours, ${words} words, ${threads} threads; ${RUNS} runs of ${ROUNDS} rounds; every checkpoint that of plain rounds`,
    `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.version}; generator: ${generator.name}`,
    '',
    '| secure round, s | spread | keystream alone, s | ratio | spread | plain round, s |',
    '| --: | --- | --: | --: | --- | --: |',
    `| ${median(rounds).toFixed(2)} | ${spread(rounds)} | ${median(results.map(({ bound }) => bound)).toFixed(2)} | ${median(ratios).toFixed(2)} | ${spread(ratios)} | ${median(plain.seconds.slice(1)).toFixed(2)} |`,
    '',
  ].join('\n'),
);
