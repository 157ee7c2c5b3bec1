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
import { seededRandom } from '@tutti/base';
import { leaveOneOut } from '@tutti/datasets';
import { simulate } from '../src/index.ts';

const [PEOPLE, ITEMS, POSITIVES, COHORT] = [1_000, 3_706, 165, 200];
const [RUNS, ROUNDS] = [3, 30];
/** Rounds that compilers warm up in, as the peers leave out theirs, and in which nearly everybody is met for the first time: that makes their keys. */
const WARM_UP = 20;

/** Every person's items, the popular ones more often: rank r with 1 / (r + 50)^0.8. */
function drawItems(): Int32Array[] {
  const random = seededRandom('peer workload');
  const until: number[] = [];
  for (let item = 0; item < ITEMS; item++) until.push((until[item - 1] ?? 0) + (item + 50) ** -0.8);
  const draw = (): number => {
    const at = random.float() * (until.at(-1) as number);
    return until.findIndex((bound) => at < bound);
  };
  return Array.from({ length: PEOPLE }, () => {
    const items = new Set<number>();
    // One is held out.
    while (items.size < POSITIVES + 1) items.add(draw());
    return Int32Array.from(items);
  });
}

const lists = drawItems();
const dataset = leaveOneOut(
  {
    users: Int32Array.from(lists.flatMap((items, user) => Array.from(items, () => user))),
    items: Int32Array.from(lists.flatMap((items) => [...items])),
    userIds: lists.map((_, user) => `${user}`),
    itemIds: Array.from({ length: ITEMS }, (_, item) => `${item}`),
  },
  { name: 'peer workload', minimumInteractions: 2, keepItems: true },
);

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number;

async function ours(): Promise<number> {
  const seconds: number[] = [];
  const { rounds } = await simulate({
    dataset,
    model: {
      ...{ family: 'mlp', dimension: 32, hidden: [32, 16], epochs: 1, batchSize: 64, negatives: 4 },
    },
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
