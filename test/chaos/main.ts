import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { runClusterChaos } from './cluster-chaos.ts';
import { openChaosDatabase } from './database.ts';
import { runFailover } from './failover.ts';
import { runFlush } from './flush.ts';
import { runFullDisk } from './full-disk.ts';
import { leaveNothing } from './leaving.ts';
import { runPartition } from './partition.ts';
import { runScan } from './scan.ts';
import type { HarmOptions, HarmResult } from './harm.ts';

/** `npm run chaos -- --kills 50 [--postgres | --cluster] --json`, or `--harm NAME`: see chaos.ts, cluster-chaos.ts, full-disk.ts, flush.ts and scan.ts. Exit code 1 when anything was lost, doubled, stuck, or found where it may not be. */
const HELP = `npm run chaos -- [options]

  --kills <n>        kills, under load (default: 50)
  --seed <n>         what is killed when (default: 1)
  --clients <n>      devices (default: 10)
  --postgres         a coordinator on PostgreSQL, which is killed and restarted too
  --cluster          gateways, owners, a worker, Redis and PostgreSQL, any of which is killed or paused
  --harm <name>      instead of kills, one of
                       full-disk  a small disk that is full for a while (needs root)
                       flush      a cluster whose Redis loses its memory at every instant of a round
                       failover   a cluster whose PostgreSQL dies again and again, and a standby takes over
                       failover-asynchronous  the same with a standby that lacks the last commits
                       partition  a cluster on network namespaces, whose links are cut and heal (needs root)
                       scan       no harm: masked inputs of a cluster's rounds are looked for in memory, cores, files and logs (needs root)
  --times <n>        how often a harm is done
  --only <text>      of partition, the cuts with this in their name
  --json             one JSON object on stdout

Exit code 1 where anything was lost, doubled or stuck, or found where it may not be; 3 where this machine cannot do the harm.
Ctrl-C (or SIGTERM) ends what was started and removes what was written (on Linux), at any time.
`;

/** The exit code of a harm that this machine cannot do. */
const SKIPPED = 3;

/** The exit code of a wrong command line. */
const WRONG = 2;

const HARMS = new Map<string, (options: HarmOptions) => Promise<HarmResult | string>>([
  ['full-disk', () => runFullDisk()],
  ['flush', runFlush],
  ['failover', runFailover],
  ['failover-asynchronous', (options) => runFailover({ ...options, synchronous: false })],
  ['partition', runPartition],
]);

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '10' },
    postgres: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    harm: { type: 'string' },
    times: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
leaveNothing();
if (values.harm !== undefined) process.exit(await harm(values.harm));
const database = values.postgres ? await openChaosDatabase() : undefined;
if (typeof database === 'string') throw new Error(database);
const run = values.cluster ? runClusterChaos : runChaos;
const result = await run({
  ...(database === undefined ? {} : { database }),
  kills: Number(values.kills),
  seed: Number(values.seed),
  clients: Number(values.clients),
  onKill: (kills, rounds, victim = 'coordinator') =>
    process.stderr.write(`kill ${kills}/${values.kills} (${victim}): ${rounds} rounds\n`),
});
await database?.destroy();
const summary = `${result.kills} kills, ${result.rounds} rounds: ${result.lost} lost, ${result.doubled} doubled, ${result.stuck} stuck (${result.seconds.toFixed(0)} s)`;
process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `${summary}\n`);
process.exit(result.lost + result.doubled + result.stuck === 0 ? 0 : 1);

/** One harm. @returns the exit code. */
async function harm(name: string): Promise<number> {
  if (name === 'scan') return scan();
  const run = HARMS.get(name);
  if (run === undefined) {
    process.stderr.write(`--harm: one of ${[...HARMS.keys(), 'scan'].join(', ')} is expected, not ${name}\n`);
    return WRONG;
  }
  const done = await run({
    ...(values.times === undefined ? {} : { times: Number(values.times) }),
    ...(values.only === undefined ? {} : { only: values.only }),
    onHarm: (told) => void process.stderr.write(`${told}\n`),
  });
  if (typeof done === 'string') {
    process.stderr.write(`SKIPPED, nothing was tried: ${done}\n`);
    return SKIPPED;
  }
  process.stdout.write(`${JSON.stringify(done)}\n`);
  return done.lost + done.doubled + done.stuck === 0 ? 0 : 1;
}

/** A search, which does no harm. @returns the exit code. */
async function scan(): Promise<number> {
  const done = await runScan();
  if (typeof done === 'string') {
    process.stderr.write(`SKIPPED, nothing was looked for: ${done}\n`);
    return SKIPPED;
  }
  process.stdout.write(`${JSON.stringify(done)}\n`);
  return done.leaks.length + done.missed.length === 0 ? 0 : 1;
}
