import { resolve, dirname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { taskProblems } from '@tutti/server';
import { ask } from '../admin/ask.ts';
import { adminCommand, tokenOf, type AdminFlags } from '../admin/options.ts';
import { catalogueFile } from '../catalogue-file.ts';
import { jsonFile } from '../coordinator/read-config.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { statusLines } from './status.ts';

const EXAMPLES = `
Examples:
  tutti task list
  tutti task create --config books.json --token-file operator.token
  tutti task pause films
  tutti task stop films --yes

What changes something needs a token (tutti token create). docs/operations.md says more.`;

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const pathOf = (task: string): string => `/tasks/${encodeURIComponent(task)}`;

/** The status as JSON, or in a line. */
function printTask(status: unknown, { json }: AdminFlags): void {
  print(json === true ? JSON.stringify(status) : statusLines({ tasks: [status] }).join('\n'));
}

export function taskCommand(): Command {
  const command = new Command('task')
    .description('the tasks of a coordinator: create, list, show, pause, resume, stop')
    .addHelpText('after', EXAMPLES);
  const steps = [
    step('pause', 'begin no further round; the one that is going on ends first'),
    step('resume', 'go on after a pause'),
  ];
  for (const sub of [list(), show(), create(), ...steps, stop()]) command.addCommand(sub);
  return command;
}

function list(): Command {
  return adminCommand('list', 'how every task stands')
    .addHelpText(
      'after',
      `
Examples:
  tutti task list
  tutti task list --coordinator https://fl.example.org --json    { tasks: [{ task, run, phase, round, … }] }`,
    )
    .action(async (flags: AdminFlags) => {
      const answer = await ask({ ...flags, path: '/tasks' });
      print(flags.json === true ? JSON.stringify(answer) : statusLines(answer).join('\n'));
    });
}

function show(): Command {
  return adminCommand('show', 'how one task stands')
    .argument('<task>', 'its name')
    .addHelpText(
      'after',
      `
Examples:
  tutti task show films
  tutti task show films --json    { task, run, phase, round, target, epsilon, … }`,
    )
    .action(async (task: string, flags: AdminFlags) => {
      printTask(await ask({ ...flags, path: pathOf(task) }), flags);
    });
}

function create(): Command {
  return adminCommand('create', 'begin one more task while the coordinator runs', 'operate')
    .requiredOption(
      '--config <file>',
      'the task as JSON: an entry of "tasks" of a coordinator’s configuration',
    )
    .addHelpText(
      'after',
      `
Examples:
  tutti task create --config books.json
  tutti task create --config books.json --coordinator https://fl.example.org --token-file operator.token --json

The file:
  { "name": "books", "catalogue": "books.csv", "model": { "family": "mlp" }, "round": { "cohort": 100 } }
A catalogue that is a path is read here, from beside the file, and sent. The coordinator keeps the task in its store: it is there after
a restart too. Everything that is wrong with it is told at once, each with its path.`,
    )
    .action(async (flags: AdminFlags & { config: string }) => {
      const token = await tokenOf(flags);
      const body = await taskFile(flags.config);
      printTask(await ask({ ...flags, token, method: 'POST', path: '/tasks', body }), flags);
    });
}

/** A task with its catalogue. @throws {CommandError} for a file that is none, or whose catalogue cannot be read, with all that is wrong. */
async function taskFile(path: string): Promise<unknown> {
  const task = (await jsonFile(path)) as Record<string, unknown>;
  const { catalogue } = task;
  if (typeof catalogue !== 'string') return task;
  try {
    return { ...task, catalogue: await catalogueFile(resolve(dirname(path), catalogue)) };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // It cannot be sent; what is wrong with the rest is found here.
    const rest = taskProblems(task).filter((one) => one.path !== 'catalogue');
    const problems = [{ path: 'catalogue', problem: error.message }, ...rest];
    throw new CommandError(problems.map((one) => `${one.path}: ${one.problem}`).join('\n'));
  }
}

function step(name: 'pause' | 'resume', description: string): Command {
  return adminCommand(name, description, 'operate')
    .argument('<task>', 'its name')
    .addHelpText(
      'after',
      `
Examples:
  tutti task ${name} films
  tutti task ${name} films --coordinator https://fl.example.org --token-file operator.token --json

What it is already changes nothing. It holds over a restart.`,
    )
    .action(async (task: string, flags: AdminFlags) => change(task, name, flags));
}

function stop(): Command {
  return adminCommand('stop', 'end a task for good; the round that is going on ends at once', 'operate')
    .argument('<task>', 'its name')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
Examples:
  tutti task stop films
  tutti task stop films --yes --token-file operator.token

Its models stay, and are served; no round is made any more. To make none for a while: tutti task pause.`,
    )
    .action(async (task: string, flags: AdminFlags & { yes?: boolean }) => {
      await tokenOf(flags);
      if (flags.yes !== true) await confirm(task);
      await change(task, 'stop', flags);
    });
}

async function change(task: string, operation: string, flags: AdminFlags): Promise<void> {
  const token = await tokenOf(flags);
  printTask(await ask({ ...flags, token, method: 'POST', path: `${pathOf(task)}/${operation}` }), flags);
}

/** Asks on a terminal. @throws {CommandError} where there is none, and for every answer but yes. */
async function confirm(task: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new CommandError(`Stopping ${task} is for good: say --yes, or use tutti task pause.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const said = await terminal.question(`Stop ${task} for good? Type its name to say yes: `);
    if (said.trim() !== task) throw new CommandError(`${task} goes on.`, EXIT.interrupted);
  } finally {
    terminal.close();
  }
}
