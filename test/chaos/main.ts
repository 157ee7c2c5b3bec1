import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { runClusterChaos } from './cluster-chaos.ts';
import { openChaosDatabase } from './database.ts';

/** `npm run chaos -- --kills 50 [--postgres | --cluster] --json`: see chaos.ts and cluster-chaos.ts. Exit code 1 when anything was lost, doubled or stuck. */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '10' },
    postgres: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
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
