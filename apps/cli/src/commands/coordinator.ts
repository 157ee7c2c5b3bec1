import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { DecodeError } from '@tutti/base';
import type { TaskStatus } from '@tutti/coordination';
import { MODEL_FAMILIES, type ModelFamily } from '@tutti/model';
import type { WordBits } from '@tutti/secure-aggregation';
import { dashboardFiles } from '@tutti/dashboard';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, decodeConfig, type CoordinatorConfigInput } from '@tutti/server';
import { openLmdbStorage } from '@tutti/storage-lmdb';
import { catalogueFile } from '../catalogue-file.ts';
import { CommandError } from '../exit-codes.ts';
import { httpUrl, publicKey, wholeNumber, wordBits } from '../parse.ts';
import { reportOf } from '../start/round-line.ts';
import { abortOnSignals } from '../signals.ts';
import { openScreen } from '../ui/screen.ts';
import { roundCells, roundColumns } from '../ui/rounds.ts';
import { cellsLine, headingLine } from '../ui/table.ts';

interface CoordinatorFlags {
  config?: string;
  catalogue?: string;
  task: string;
  model: ModelFamily;
  authority?: string;
  authorityUrl?: string;
  port?: number;
  host?: string;
  dataDir?: string;
  wordBits?: WordBits | 'auto';
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti coordinator --catalogue catalogue.csv                 one task over the items of a CSV (columns id, title, genres)
  tutti coordinator --config tutti.config.json --port 8080    as a file says, on another port
  tutti coordinator --catalogue catalogue.csv --authority 3b6a…    for clients that this authority enrolled

The file:
  { "listen": { "port": 4170 }, "store": "lmdb:./.tutti",
    "tasks": [{ "name": "films", "catalogue": "catalogue.csv", "model": { "family": "mlp" }, "round": { "cohort": 100 } }] }`;

export function coordinatorCommand(): Command {
  return new Command('coordinator')
    .description('run a coordinator on its embedded store')
    .option('--config <file>', 'configuration (JSON)')
    .addOption(
      new Option(
        '--catalogue <file>',
        'without a configuration: items as CSV with a header (id, title, genres), or JSON { ids, titles }',
      ).conflicts('config'),
    )
    .addOption(
      new Option('--task <name>', 'without a configuration: name of the task')
        .default('films')
        .conflicts('config'),
    )
    .addOption(
      new Option('--model <family>', 'without a configuration: model family')
        .choices([...MODEL_FAMILIES])
        .default('mlp')
        .conflicts('config'),
    )
    .option(
      '--authority <key>',
      'without a configuration: clients show tokens of this authority (level enrolled)',
      publicKey,
    )
    .option('--authority-url <url>', 'and stand in its log, which is read here (level transparent)', httpUrl)
    .option('--port <n>', 'port to listen on (0 takes a free one)', wholeNumber(0, 65_535))
    .option('--host <address>', 'address to listen on')
    .option('--data-dir <dir>', 'where everything is kept')
    .option(
      '--word-bits <n>',
      'bits of a word on the wire, for every task: 24, 32 or auto (round.wordBits)',
      wordBits,
    )
    .option('--json', 'events as JSON lines on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: CoordinatorFlags) => runCoordinator(flags));
}

const BUDGET_SPENT = 'its privacy budget is spent, so no further round is made (docs/choosing-epsilon.md)';

/** What a task comes back with. */
function taskLine({ task, round, identity, phase }: TaskStatus, items: number): string {
  const open =
    identity === 'open' ? ', so clients must trust you not to invent others (docs/identity.md)' : '';
  const spent = phase === 'budget-spent' ? `; ${BUDGET_SPENT}` : '';
  return `task ${task}: ${items} items; ${round} rounds done; identity ${identity}${open}${spent}`;
}

async function runCoordinator(flags: CoordinatorFlags): Promise<void> {
  const signal = abortOnSignals();
  const screen = openScreen(process.stderr);
  const config = await readConfig(flags);
  const resolved = decodeConfig(config);
  const folder = resolved.store.replace(/^lmdb:/, '');
  if (!resolved.store.startsWith('lmdb:'))
    throw new CommandError(`store: ${resolved.store} is not lmdb:FOLDER`);
  const storage = await openLmdbStorage(folder, nodeCrypto);
  try {
    await using server = await createCoordinator({
      config,
      store: storage.store,
      blobs: storage.blobs,
      pages: await dashboardFiles(),
    });
    const columns = roundColumns();
    const emit = (event: unknown): void =>
      void (flags.json === true && process.stdout.write(`${JSON.stringify(event)}\n`));
    server.coordination.subscribe((event) => {
      if (event.type === 'failed') screen.line(`a task failed: ${event.error.message}`);
      else if (event.type !== 'progress') emit(event);
      if (event.type === 'committed' || event.type === 'aborted')
        screen.line(cellsLine(columns, roundCells(reportOf(event))));
      if (event.type === 'finished' && event.reason === 'privacy-budget-spent')
        screen.line(`task ${event.task}: ${BUDGET_SPENT}`);
    });
    const url = await server.listen();
    emit({ type: 'listening', url, pid: process.pid });
    screen.line(
      `Tutti coordinator at ${url} (a page there shows what it does), everything kept in ${folder}; Ctrl-C stops it`,
    );
    for (const task of server.coordination.taskNames) {
      const status = server.coordination.status(task);
      const { items = 0 } = server.coordination.taskInfo(task) ?? {};
      if (status !== undefined) screen.line(taskLine(status, items));
    }
    screen.line(headingLine(columns));
    await new Promise<void>((done, fail) => {
      if (signal.aborted) done();
      signal.addEventListener('abort', () => done(), { once: true });
      server.coordination.subscribe((event) => {
        if (event.type === 'failed' && event.fatal) fail(event.error);
      });
    });
  } finally {
    await storage.close();
  }
}

async function readConfig(flags: CoordinatorFlags): Promise<CoordinatorConfigInput> {
  const base = flags.config === undefined ? await configOfFlags(flags) : await configOfFile(flags.config);
  return {
    ...base,
    listen: {
      ...base.listen,
      ...(flags.port === undefined ? {} : { port: flags.port }),
      ...(flags.host === undefined ? {} : { host: flags.host }),
    },
    ...(flags.dataDir === undefined ? {} : { store: `lmdb:${flags.dataDir}` }),
    ...(flags.wordBits === undefined ? {} : { tasks: withWordBits(base.tasks, flags.wordBits) }),
  };
}

type Tasks = CoordinatorConfigInput['tasks'];

const withWordBits = (tasks: Tasks, bits: WordBits | 'auto'): Tasks =>
  tasks.map((task) => ({ ...task, round: { ...task.round, wordBits: bits } }));

async function configOfFlags(flags: CoordinatorFlags): Promise<CoordinatorConfigInput> {
  if (flags.catalogue === undefined)
    throw new CommandError('Say what is recommended: --catalogue FILE, or --config FILE.');
  return {
    tasks: [
      {
        name: flags.task,
        catalogue: await catalogueFile(flags.catalogue),
        model: { family: flags.model },
        identity: identityOf(flags),
      },
    ],
  };
}

function identityOf({ authority, authorityUrl: url }: CoordinatorFlags): TaskInput['identity'] {
  if (authority === undefined) {
    if (url !== undefined)
      throw new CommandError(
        '--authority-url needs --authority KEY: a log is believed only under a known key.',
      );
    return { level: 'open' };
  }
  return url === undefined ? { level: 'enrolled', authority } : { level: 'transparent', authority, url };
}

type TaskInput = CoordinatorConfigInput['tasks'][number];

/** The file as it is; a catalogue that is a path is read from beside the file. Everything else is checked by the server. */
async function configOfFile(path: string): Promise<CoordinatorConfigInput> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new CommandError(
      `${path} cannot be read as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      undefined,
      { cause },
    );
  }
  if (typeof value !== 'object' || value === null || !('tasks' in value) || !Array.isArray(value.tasks))
    throw new DecodeError('tasks', 'a list of tasks is needed');
  const tasks = await Promise.all(
    value.tasks.map(async (task: unknown) => {
      if (
        typeof task !== 'object' ||
        task === null ||
        !('catalogue' in task) ||
        typeof task.catalogue !== 'string'
      )
        return task;
      return { ...task, catalogue: await catalogueFile(resolve(dirname(path), task.catalogue)) };
    }),
  );
  return { ...value, tasks } as CoordinatorConfigInput;
}
