import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { runClusterChaos } from './cluster-chaos.ts';
import { openChaosDatabase } from './database.ts';
import { runFullDisk } from './full-disk.ts';

/** `npm run chaos -- --kills 50 [--postgres | --cluster] --json`, or `--harm full-disk`: see chaos.ts, cluster-chaos.ts and full-disk.ts. Exit code 1 when anything was lost, doubled or stuck. */
const HELP = `npm run chaos -- [options]

  --kills <n>        kills, under load (default: 50)
  --seed <n>         what is killed when (default: 1)
  --clients <n>      devices (default: 10)
  --postgres         a coordinator on PostgreSQL, which is killed and restarted too
  --cluster          gateways, owners, a worker, Redis and PostgreSQL, any of which is killed or paused
  --harm full-disk   instead of kills: a small disk that is full for a while (needs root)
  --json             one JSON object on stdout

Exit code 1 where anything was lost, doubled or stuck.
`;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '10' },
    postgres: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    harm: { type: 'string' },
    help: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
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
  if (name !== 'full-disk') throw new Error(`--harm: full-disk is expected, not ${name}`);
  const done = await runFullDisk();
  if (typeof done === 'string') throw new Error(done);
  process.stdout.write(`${JSON.stringify(done)}\n`);
  return done.lost + done.doubled + done.stuck === 0 ? 0 : 1;
}
