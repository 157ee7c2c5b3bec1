import { Command, CommanderError } from 'commander';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { VERSION } from './version.ts';

/** Every sub-command: its name, its line in the help of the whole, and what loads it. */
const COMMANDS: readonly (readonly [string, string, () => Promise<Command>])[] = [
  [
    'start',
    'a whole federation on this machine: a coordinator, many real clients, encrypted rounds',
    async () => (await import('./commands/start.ts')).startCommand(),
  ],
  [
    'simulate',
    'train with many simulated clients in one process; the round code is that of the real coordinator',
    async () => (await import('./commands/simulate.ts')).simulateCommand(),
  ],
  [
    'coordinator',
    'run a coordinator',
    async () => (await import('./commands/coordinator.ts')).coordinatorCommand(),
  ],
  [
    'worker',
    'help the coordinators of a cluster, or host devices of simulations and rank for people',
    async () => (await import('./commands/worker.ts')).workerCommand(),
  ],
  [
    'client',
    'a headless client over a ratings file: records one person’s likes, takes part, recommends',
    async () => (await import('./commands/client.ts')).clientCommand(),
  ],
  [
    'evaluate',
    'a checkpoint against a data set: sampled and full ranking beside references',
    async () => (await import('./commands/evaluate.ts')).evaluateCommand(),
  ],
  [
    'bench-quality',
    'how good a family’s federation ranks, over seeds, against references; without --model the references alone',
    async () => (await import('./commands/bench-quality.ts')).benchQualityCommand(),
  ],
  [
    'status',
    'what a coordinator is doing',
    async () => (await import('./commands/status.ts')).statusCommand(),
  ],
  [
    'token',
    'tokens of those who may operate a coordinator',
    async () => (await import('./commands/token.ts')).tokenCommand(),
  ],
  [
    'task',
    'the tasks of a coordinator: create, list, show, pause, resume, stop',
    async () => (await import('./commands/task.ts')).taskCommand(),
  ],
  [
    'rounds',
    'the rounds that a task made',
    async () => (await import('./commands/rounds.ts')).roundsCommand(),
  ],
  [
    'model',
    'the models of a task: list, show, promote, rollback, export',
    async () => (await import('./commands/model.ts')).modelCommand(),
  ],
  [
    'logs',
    'the log of a coordinator that runs (token: read)',
    async () => (await import('./commands/logs.ts')).logsCommand(),
  ],
  [
    'doctor',
    'check a deployment, and say what to do',
    async () => (await import('./commands/doctor.ts')).doctorCommand(),
  ],
  [
    'privacy',
    'how much noise an ε needs, or what ε a noise gives',
    async () => (await import('./commands/privacy.ts')).privacyCommand(),
  ],
  [
    'audit',
    'attacks a federation’s outputs, with and without their defences',
    async () => (await import('./commands/audit.ts')).auditCommand(),
  ],
  [
    'authority',
    'enrolment tokens, from an authority apart from the coordinator',
    async () => (await import('./commands/authority.ts')).authorityCommand(),
  ],
  [
    'backup',
    'write all that a coordinator keeps into a file',
    async () => (await import('./commands/storage.ts')).backupCommand(),
  ],
  [
    'restore',
    'put a backup into an empty store',
    async () => (await import('./commands/storage.ts')).restoreCommand(),
  ],
  [
    'migrate',
    'copy a coordinator’s store into an empty one of another kind',
    async () => (await import('./commands/storage.ts')).migrateCommand(),
  ],
];

/** Names of every sub-command, in the order of the help. */
export const COMMAND_NAMES: readonly string[] = COMMANDS.map(([name]) => name);

/**
 * The whole command. Of its sub-commands those that `args` name are loaded, which is most of what a short answer takes; the others are
 * there by their line in the help.
 */
export async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('tutti')
    .description('Federated learning for private recommendations: what people like stays on their devices.')
    .version(VERSION)
    .option('--verbose', 'show the whole stack of an error')
    .showSuggestionAfterError(true)
    .showHelpAfterError('(tutti --help shows what there is)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 failed · 2 wrong command line or input · 130 interrupted\nFirst time here? Try: npx tutti start',
    );
  const commands = await Promise.all(
    COMMANDS.map(async ([name, summary, load]) =>
      args.includes(name) ? await load() : new Command(name).description(summary),
    ),
  );
  for (const command of commands) program.addCommand(command.showSuggestionAfterError(true));
  for (const command of [program, ...commands]) command.exitOverride();
  return program;
}

/** Runs `tutti ARGS` and returns its exit code; errors are told in one line each, without a stack unless `--verbose`. */
export async function runCli(args: readonly string[]): Promise<number> {
  const program = await buildProgram(args);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (!(error instanceof CommanderError)) tell(error, args.includes('--verbose'));
    return exitCodeOf(error);
  }
}

function tell(error: unknown, verbose: boolean): void {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`tutti: ${message}\n`);
  if (verbose && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
}
