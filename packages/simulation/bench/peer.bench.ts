/**
 * The workload of on-device-training.md §1 through the whole simulator: 200 clients a round of 1,000, each with 165 positives and
 * 4 negatives for each (825 examples) of 3,706 items, d = 32, layers 32-16, one epoch in batches of 64. Trained, clipped, rounded,
 * added modulo 2³², decoded, applied; on all threads.
 *
 *     node --import ./packages/base/source.js packages/simulation/bench/peer.bench.ts [COMMAND OF A PEER …]
 *
 * A peer's command is run between our own runs, on the same cores; its last line is JSON with `clients_per_s_median`. The aim is 1.3
 * times the fastest one.
 */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { simulate } from '../src/index.ts';
import { alikePeople, CLIENT, median } from './workload.ts';

const [PEOPLE, COHORT] = [1_000, 200];
const [RUNS, ROUNDS] = [3, 30];
/** Rounds that compilers warm up in, as the peers leave out theirs, and in which nearly everybody is met for the first time. */
const WARM_UP = 20;

const dataset = alikePeople(PEOPLE);

async function ours(): Promise<number> {
  const seconds: number[] = [];
  const { rounds } = await simulate({
    dataset,
    model: CLIENT,
    cohort: COHORT,
    rounds: ROUNDS + WARM_UP,
    seed: 1,
    protocol: 'plain',
    onRound: (round) => void seconds.push(round.seconds),
  });
  if (rounds.some(({ reported }) => reported !== COHORT)) throw new Error('not everybody is in the sums');
  return COHORT / median(seconds.slice(WARM_UP));
}

function peers(command: readonly string[]): number {
  const [program = '', ...args] = command;
  const last = execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n').at(-1) as string;
  return (JSON.parse(last) as { clients_per_s_median: number }).clients_per_s_median;
}

const peer = process.argv.slice(2);
const lines: string[] = [];
const ratios: number[] = [];
for (let run = 0; run < RUNS; run++) {
  const own = await ours();
  const other = peer.length === 0 ? Number.NaN : peers(peer);
  ratios.push(own / other);
  lines.push(`| ${own.toFixed(0)} | ${other.toFixed(0)} | ${(own / other).toFixed(2)} |`);
}
process.stdout.write(
  [
    `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, ${availableParallelism()} threads, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)}`,
    '',
    '| clients/s | the peer’s | ratio |',
    '| --: | --: | --: |',
    ...lines,
    '',
    `median ratio ${median(ratios).toFixed(2)}; the aim is 1.3`,
    '',
  ].join('\n'),
);
