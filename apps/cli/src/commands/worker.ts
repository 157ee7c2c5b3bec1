import { Command } from 'commander';
import { systemRandom } from '@tutti/base';
import { nodeCrypto, openUnmaskPool } from '@tutti/secure-aggregation/node';
import { readConfig } from '../coordinator/read-config.ts';
import { CommandError } from '../exit-codes.ts';
import { wholeNumber } from '../parse.ts';
import { abortOnSignals } from '../signals.ts';
import { openScreen } from '../ui/screen.ts';

interface WorkerFlags {
  config: string;
  threads?: number;
  json?: boolean;
}

/** Most threads of a worker. */
const MOST_THREADS = 256;

const EXAMPLES = `
Examples:
  tutti worker --config tutti.config.json              with the same file as the coordinators of the cluster
  tutti worker --config tutti.config.json --threads 32

It takes masks from sums for the owners of tasks, and is never needed: where there is none, owners do it themselves. docs/cluster.md`;

export function workerCommand(): Command {
  return new Command('worker')
    .description('help the coordinators of a cluster')
    .requiredOption('--config <file>', 'configuration of the cluster (JSON)')
    .option('--threads <n>', 'threads; by default as many as cores, at most 8', wholeNumber(1, MOST_THREADS))
    .option('--json', 'what was done as JSON lines on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: WorkerFlags) => runWorker(flags));
}

async function runWorker({ config: file, threads, json }: WorkerFlags): Promise<void> {
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
    await new Promise<void>((done) => {
      if (signal.aborted) done();
      signal.addEventListener('abort', () => done(), { once: true });
    });
    await worker.close();
  } finally {
    await unmasker.close();
    await storage.close();
  }
}
