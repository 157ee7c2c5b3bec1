/**
 * The client of on-device-training.md §1 through the whole simulator: drawn, trained, clipped, rounded, added modulo 2³², decoded, applied.
 * Clients a second, and what each takes of a processor's time on all threads together, in the steady rounds.
 *
 *     node --import ./packages/base/source.js packages/simulation/bench/pipeline.bench.ts
 *
 * Held to one core by the system (`taskset -c 0 node …`) and with `--threads 1` it says what one core does. The mark is 4,000 a core.
 * Every run with as many people and rounds must end in the same checkpoint.
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { simulate } from '../src/index.ts';
import { alikePeople, CLIENT, median } from './workload.ts';

const { values } = parseArgs({ options: { threads: { type: 'string' } } });
const threads = Number(values.threads ?? availableParallelism());
const RUNS = 3;
/** People, how many of them a round, rounds in which compilers warm up, and those that count. */
const SETTINGS = [
  [6_040, 6_040, 3, 6],
  [1_000, 200, 40, 60],
] as const;

const lines: string[] = [];
for (const [people, cohort, warmUp, rounds] of SETTINGS) {
  const dataset = alikePeople(people);
  const speeds: number[] = [];
  const processor: number[] = [];
  const hashes = new Set<string>();
  for (let run = 0; run < RUNS; run++) {
    const seconds: number[] = [];
    let before = process.cpuUsage();
    const { checkpointHash } = await simulate({
      ...{
        dataset,
        model: CLIENT,
        cohort,
        rounds: warmUp + rounds,
        seed: 1,
        protocol: 'plain',
        workers: threads,
      },
      onRound({ reported, seconds: took }) {
        if (reported !== cohort) throw new Error(`${reported} of ${cohort} are in a sum`);
        seconds.push(took);
        if (seconds.length === warmUp) before = process.cpuUsage();
        if (seconds.length !== warmUp + rounds) return;
        const { user, system } = process.cpuUsage(before);
        processor.push((user + system) / 1_000 / (cohort * rounds));
      },
    });
    hashes.add(checkpointHash);
    speeds.push(cohort / median(seconds.slice(warmUp)));
  }
  if (hashes.size !== 1) throw new Error('runs with one seed ended in different checkpoints');
  const spread = (all: readonly number[], digits: number): string =>
    `${median(all).toFixed(digits)} (${Math.min(...all).toFixed(digits)} – ${Math.max(...all).toFixed(digits)})`;
  lines.push(`| ${cohort} of ${people} | ${spread(speeds, 0)} | ${spread(processor, 3)} |`);
}
process.stdout.write(
  [
    `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, ${threads} threads, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)}; ${RUNS} runs`,
    '',
    '| clients a round | clients/s | processor time a client, ms |',
    '| --: | --: | --: |',
    ...lines,
    '',
  ].join('\n'),
);
