import { Command, Option } from 'commander';
import type { TaskStatus } from '@tutti/coordination';
import { MODEL_FAMILIES, type ModelFamily } from '@tutti/model';
import type { WordBits } from '@tutti/secure-aggregation';
import { dashboardFiles } from '@tutti/dashboard';
import {
  createCoordinator,
  errorFields,
  jsonLog,
  printedLines,
  type Assignment,
  type Coordinator,
  type CoordinatorConfig,
} from '@tutti/server';
import { readConfig, type ReadConfig } from '../coordinator/read-config.ts';
import { CommandError } from '../exit-codes.ts';
import { httpUrl, publicKey, wholeNumber, wordBits } from '../parse.ts';
import { declinedLines, reportOf } from '../start/round-line.ts';
import { abortOnSignals } from '../signals.ts';
import { openStorage } from '../coordinator/open-storage.ts';
import { trackTasks } from '../tracking/tasks.ts';
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
  tokens?: string;
  wordBits?: WordBits | 'auto';
  printConfig?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti coordinator --catalogue catalogue.csv                 one task over the items of a CSV (columns id, title, genres)
  tutti coordinator --config tutti.config.json --port 8080    as a file says, on another port
  tutti coordinator --catalogue catalogue.csv --authority 3b6a…    for clients that this authority enrolled
  TUTTI_LISTEN_PORT=8080 tutti coordinator --config tutti.config.json --print-config

The file:
  { "listen": { "port": 4170 }, "store": "lmdb:./.tutti",
    "tasks": [{ "name": "films", "catalogue": "catalogue.csv", "model": { "family": "mlp" }, "round": { "cohort": 100 } }] }
Every value of it can be set by a variable, TUTTI_ and its path: TUTTI_LISTEN_PORT, TUTTI_TASKS_0_ROUND_COHORT. Options win over
variables, variables over the file. docs/operations.md says more.`;

export function coordinatorCommand(): Command {
  return new Command('coordinator')
    .description('run a coordinator')
    .option('--config <file>', 'configuration (JSON)')
    .addOption(
      new Option(
        '--catalogue <file>',
        'without a configuration: items as CSV with a header (id, title, genres, vector), or JSON { ids, titles, genres, vectors }',
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
    .option('--data-dir <dir>', 'folder where everything is kept')
    .option('--tokens <file>', 'tokens of those who may change what runs (tutti token create)')
    .option(
      '--word-bits <n>',
      'bits of a word on the wire, for every task: 24, 32 or auto (round.wordBits)',
      wordBits,
    )
    .option('--print-config', 'print what is in force and where each value came from, and end')
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
  const read = await readConfig({
    ...(flags.config === undefined ? {} : { file: flags.config }),
    environment: process.env,
    options: assignmentsOfFlags(flags),
    opensTokens: true,
    everyTask:
      flags.wordBits === undefined
        ? []
        : [{ path: ['round', 'wordBits'], value: flags.wordBits, origin: '--word-bits' }],
  });
  if (flags.printConfig === true) return printConfig(read, flags.json === true);
  await serve(read.config, flags.json === true);
}

function printConfig({ printed }: ReadConfig, json: boolean): void {
  const text = json ? JSON.stringify({ values: printed() }) : printedLines(printed()).join('\n');
  process.stdout.write(`${text}\n`);
}

/** How long a process of a cluster that is about to stop says so, in milliseconds: load balancers that ask every second hear of it. */
const NOTICE_MS = 2_000;

async function serve(config: CoordinatorConfig, json: boolean): Promise<void> {
  const isLogged = config.log.format === 'json';
  const signal = isLogged ? abortOnSignals(() => undefined) : abortOnSignals();
  const log = isLogged ? jsonLog({ level: config.log.level }) : undefined;
  const screen = openScreen(process.stderr);
  const line = (text: string): void => void (isLogged || screen.line(text));
  const { storage, name, coordinate } = await openStorage(config, {
    onProblem(task, error) {
      log?.write('failed', { task, part: 'owner', ...errorFields(error) });
      line(`${task === '' ? 'leases' : `task ${task}`} cannot be run here: ${error.message}`);
    },
    onOwned(task, change) {
      log?.write(`task-${change}`, { task });
      line(`task ${task} is ${change === 'taken' ? 'run here from now on' : 'no longer run here'}`);
    },
  });
  try {
    await using server = await createCoordinator({
      config,
      store: storage.store,
      blobs: storage.blobs,
      ...(coordinate === undefined ? {} : { coordinate, noticeMs: NOTICE_MS }),
      pages: await dashboardFiles(),
      ...(log === undefined ? {} : { log }),
    });
    const emit = (event: unknown): void => void (json && process.stdout.write(`${JSON.stringify(event)}\n`));
    tellEvents(server, { line, emit });
    // Without a certificate SIGHUP is what it always was: the terminal is gone.
    if (config.listen.tls !== undefined) process.on('SIGHUP', () => reloadCertificate(server, line));
    const url = await server.listen();
    emit({ type: 'listening', url, pid: process.pid });
    line(
      `Tutti coordinator at ${url} (a page there shows what it does), everything kept in ${name}; Ctrl-C stops it`,
    );
    tellTasks(server, line);
    const tracked = trackTasks(server.coordination, config.trackers, (problem) => {
      log?.write('failed', { part: 'trackers', ...errorFields(problem) });
      line(`rounds are not kept everywhere: ${problem instanceof Error ? problem.message : String(problem)}`);
    });
    // A full disk may have room again. Whoever lost a database starts anew, and holds it, or is told who does.
    const goesOn = config.store.startsWith('lmdb:');
    await untilStopped(server, signal, goesOn);
    if (!(await server.drain())) line('the round that was going on did not end in time; it is ended');
    await tracked.close();
  } finally {
    await storage.close();
  }
}

interface Told {
  readonly line: (text: string) => void;
  readonly emit: (event: unknown) => void;
}

function tellEvents(server: Coordinator, { line, emit }: Told): void {
  const columns = roundColumns();
  server.coordination.subscribe((event) => {
    if (event.type === 'failed') line(`a task failed: ${event.error.message}`);
    else if (event.type !== 'progress') emit(event);
    if (event.type === 'committed' || event.type === 'aborted')
      line(cellsLine(columns, roundCells(reportOf(event))));
    if (event.type === 'aborted') declinedLines(event).forEach(line);
    if (event.type === 'finished' && event.reason === 'privacy-budget-spent')
      line(`task ${event.task}: ${BUDGET_SPENT}`);
  });
}

function tellTasks({ coordination }: Coordinator, line: (text: string) => void): void {
  for (const task of coordination.taskNames) {
    const status = coordination.status(task);
    const { items = 0 } = coordination.taskInfo(task) ?? {};
    if (status !== undefined) line(taskLine(status, items));
  }
  line(headingLine(roundColumns()));
}

function reloadCertificate(server: Coordinator, line: (text: string) => void): void {
  try {
    server.reloadCertificate();
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    line(`the certificate that was there stays in use: ${problem}`);
  }
}

/** Until a signal comes. @param goesOn a journal that cannot be written is no end. @throws what makes it impossible to go on. */
function untilStopped({ coordination }: Coordinator, signal: AbortSignal, goesOn: boolean): Promise<void> {
  return new Promise((done, fail) => {
    if (signal.aborted) done();
    signal.addEventListener('abort', () => done(), { once: true });
    coordination.subscribe((event) => {
      if (event.type === 'failed' && event.fatal && !goesOn) fail(event.error);
    });
  });
}

/** What the command line sets, each with the option that does. */
function assignmentsOfFlags(flags: CoordinatorFlags): Assignment[] {
  const { port, host, dataDir, tokens } = flags;
  const set = taskOfFlags(flags);
  if (port !== undefined) set.push({ path: ['listen', 'port'], value: port, origin: '--port' });
  if (host !== undefined) set.push({ path: ['listen', 'host'], value: host, origin: '--host' });
  if (dataDir !== undefined) set.push({ path: ['store'], value: `lmdb:${dataDir}`, origin: '--data-dir' });
  if (tokens !== undefined) set.push({ path: ['tokens'], value: tokens, origin: '--tokens' });
  return set;
}

function taskOfFlags(flags: CoordinatorFlags): Assignment[] {
  const { catalogue, task, model, authority, authorityUrl: url } = flags;
  if (url !== undefined && authority === undefined)
    throw new CommandError(
      '--authority-url needs --authority KEY: a log is believed only under a known key.',
    );
  if (catalogue === undefined) return [];
  const level = authority === undefined ? 'open' : url === undefined ? 'enrolled' : 'transparent';
  const set: [name: string[], value: unknown, option: string][] = [
    [['name'], task, '--task'],
    [['catalogue'], catalogue, '--catalogue'],
    [['model', 'family'], model, '--model'],
    [['identity', 'level'], level, authority === undefined ? 'default' : '--authority'],
  ];
  if (authority !== undefined) set.push([['identity', 'authority'], authority, '--authority']);
  if (url !== undefined) set.push([['identity', 'url'], url, '--authority-url']);
  return set.map(([name, value, origin]) => ({ path: ['tasks', 0, ...name], value, origin }));
}
