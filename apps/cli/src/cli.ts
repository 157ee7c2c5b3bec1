import { Command, CommanderError } from 'commander';
import { auditCommand } from './commands/audit.ts';
import { authorityCommand } from './commands/authority.ts';
import { benchQualityCommand } from './commands/bench-quality.ts';
import { clientCommand } from './commands/client.ts';
import { coordinatorCommand } from './commands/coordinator.ts';
import { doctorCommand } from './commands/doctor.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { logsCommand } from './commands/logs.ts';
import { modelCommand } from './commands/model.ts';
import { privacyCommand } from './commands/privacy.ts';
import { roundsCommand } from './commands/rounds.ts';
import { simulateCommand } from './commands/simulate.ts';
import { startCommand } from './commands/start.ts';
import { statusCommand } from './commands/status.ts';
import { taskCommand } from './commands/task.ts';
import { tokenCommand } from './commands/token.ts';
import { workerCommand } from './commands/worker.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { backupCommand, migrateCommand, restoreCommand } from './commands/storage.ts';
import { VERSION } from './version.ts';

/** The whole command, with every sub-command attached. */
export function buildProgram(): Command {
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
  const commands = [
    startCommand(),
    simulateCommand(),
    coordinatorCommand(),
    workerCommand(),
    clientCommand(),
    evaluateCommand(),
    benchQualityCommand(),
    statusCommand(),
    tokenCommand(),
    taskCommand(),
    roundsCommand(),
    modelCommand(),
    logsCommand(),
    doctorCommand(),
    privacyCommand(),
    auditCommand(),
    authorityCommand(),
    backupCommand(),
    restoreCommand(),
    migrateCommand(),
  ];
  for (const command of commands) program.addCommand(command.showSuggestionAfterError(true));
  for (const command of [program, ...commands]) command.exitOverride();
  return program;
}

/** Runs `tutti ARGS` and returns its exit code; errors are told in one line each, without a stack unless `--verbose`. */
export async function runCli(args: readonly string[]): Promise<number> {
  const program = buildProgram();
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
