import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { systemRandom } from '@tutti/base';
import { nodeCrypto, openUnmaskPool } from '@tutti/secure-aggregation/node';
import { serveEvaluations, serveShards } from '@tutti/simulation';
import { readConfig } from '../coordinator/read-config.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { openHosts } from '../hosts.ts';
import { redisAddress, wholeNumber } from '../parse.ts';
import { abortOnSignals } from '../signals.ts';
import { openScreen } from '../ui/screen.ts';
import { VERSION } from '../version.ts';

interface WorkerFlags {
  config?: string;
  redis?: string;
  secretFile?: string;
  threads?: number;
  json?: boolean;
}

/** Most threads of a worker. */
const MOST_THREADS = 256;

const EXAMPLES = `
Examples:
  tutti worker --config tutti.config.json              with the same file as the coordinators of the cluster
  tutti worker --config tutti.config.json --threads 32

  tutti worker --redis redis://10.0.0.1:6379 --secret-file shared.key    for \`tutti simulate --workers redis://10.0.0.1:6379\`,
                                                       \`tutti bench-quality\` and \`tutti evaluate\`

For a cluster it takes masks from sums for the owners of tasks, and is never needed: where there is none, owners do it themselves: docs/cluster.md.
For simulations it hosts devices, each part of a population in a thread of its own, and for evaluations it ranks for parts of the people: docs/cluster.md, at its end`;

export function workerCommand(): Command {
  return new Command('worker')
    .description('help the coordinators of a cluster, or host devices of simulations and rank for people')
    .option('--config <file>', 'configuration of a cluster (JSON)')
    .addOption(
      new Option(
        '--redis <address>',
        'host devices of simulations that are at this Redis, and rank for people of evaluations',
      )
        .argParser(redisAddress)
        .conflicts('config'),
    )
    .option(
      '--secret-file <file>',
      'with --redis: what seals what travels; those at the other end are given the same',
    )
    .option(
      '--threads <n>',
      'threads; by default as many as cores, for a cluster at most 8',
      wholeNumber(1, MOST_THREADS),
    )
    .option('--json', 'what was done as JSON lines on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: WorkerFlags) => runWorker(flags));
}

async function runWorker(flags: WorkerFlags): Promise<void> {
  if (flags.redis !== undefined) return runHost(flags, flags.redis);
  if (flags.config === undefined)
    throw new CommandError(
      '--config FILE of a cluster, or --redis ADDRESS of simulations, is needed',
      EXIT.usage,
    );
  if (flags.secretFile !== undefined)
    throw new CommandError(
      '--secret-file is for --redis; a cluster’s secret is in its PostgreSQL',
      EXIT.usage,
    );
  return runMasks(flags, flags.config);
}

/** Hosts devices until it is stopped. */
async function runHost({ threads, secretFile, json }: WorkerFlags, redis: string): Promise<void> {
  const signal = abortOnSignals();
  const screen = openScreen(process.stderr);
  const peers = await openHosts({ redis, secretFile, isHost: true });
  const say = (type: 'devices' | 'evaluation') => (line: string) => {
    if (json === true) process.stdout.write(`${JSON.stringify({ type, line })}\n`);
    else screen.line(`${type} ${line}`);
  };
  const engine = { peers, version: VERSION, threads: threads ?? availableParallelism() };
  const hosting = serveShards({ ...engine, onShard: say('devices') });
  const evaluating = serveEvaluations({ ...engine, onShard: say('evaluation') });
  screen.line('Tutti worker for simulations and evaluations; Ctrl-C stops it');
  await untilAborted(signal);
  await Promise.all([hosting.close(), evaluating.close()]);
  await peers.close();
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((done) => {
    if (signal.aborted) done();
    signal.addEventListener('abort', () => done(), { once: true });
  });

/** Makes masks for a cluster's owners until it is stopped. */
async function runMasks({ threads, json }: WorkerFlags, file: string): Promise<void> {
  const read = await readConfig({ file, environment: process.env, options: [], everyTask: [] });
  const { store, cluster } = read.config;
  if (cluster === undefined)
    throw new CommandError(
      `${file} has no cluster; a worker helps the coordinators of one (docs/cluster.md)`,
    );
  const signal = abortOnSignals();
  const screen = openScreen(process.stderr);
  const { openSharedPostgresStorage } = await import('@tutti/storage-postgres');
  const { openWorker } = await import('@tutti/cluster-redis');
  const storage = await openSharedPostgresStorage(store, nodeCrypto);
  const unmasker = openUnmaskPool(threads === undefined ? {} : { workers: threads });
  const { redis, takeOverMs } = cluster;
  try {
    const worker = await openWorker({
      ...{ redis, takeOverMs, storage, unmasker, crypto: nodeCrypto, random: systemRandom() },
      onDone(words, secrets) {
        if (json === true) process.stdout.write(`${JSON.stringify({ type: 'shard', words, secrets })}\n`);
      },
      onProblem: (error) => screen.line(`a shard was not done: ${error.message}`),
    });
    screen.line('Tutti worker; Ctrl-C stops it');
    await untilAborted(signal);
    await worker.close();
  } finally {
    await unmasker.close();
    await storage.close();
  }
}
