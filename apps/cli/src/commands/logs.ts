import { Option, type Command } from 'commander';
import { eventsOf } from '../admin/events.ts';
import { send } from '../admin/ask.ts';
import { adminCommand, tokenOf, type AdminFlags } from '../admin/options.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { abortOnSignals } from '../signals.ts';

/** When a stream that was cut is asked for again, in milliseconds. */
const AGAIN_MS = 1_000;
/** How often in a row before it is given up. */
const MOST_TRIES = 30;

interface LogsFlags extends AdminFlags {
  readonly follow?: boolean;
  readonly level: string;
}

export function logsCommand(): Command {
  return adminCommand('logs', 'the log of a coordinator that runs', 'read')
    .option('--follow', 'go on as lines come, also after the coordinator was started again')
    .addOption(
      new Option('--level <level>', 'the least that is told')
        .choices(['error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .addHelpText(
      'after',
      `
Examples:
  tutti logs                           the newest lines that the coordinator keeps: a thousand at most
  tutti logs --follow --level debug    and every phase and request from now on
  tutti logs --follow --json           one JSON object a line

What can stand in a line is a closed list (docs/operations.md): no key, weight, interaction or identity of anybody.`,
    )
    .action((flags: LogsFlags) => runLogs(flags));
}

async function runLogs(flags: LogsFlags): Promise<void> {
  const token = await tokenOf(flags);
  const signal = abortOnSignals(() => undefined);
  const origin = new URL(flags.coordinator).origin;
  let after = 0;
  let isAway = false;
  for (let tries = 0; ; tries++) {
    const path = `/logs?level=${flags.level}&follow=${flags.follow === true}&after=${after}`;
    try {
      const { body } = await send({ ...flags, token, path }, signal);
      if (body === null) throw new Error('an answer without a body');
      if (isAway) process.stderr.write(`${origin} answers again; what it has said since then follows\n`);
      isAway = false;
      for await (const { data, id } of eventsOf(body)) {
        tries = 0;
        after = Number(id ?? after);
        process.stdout.write(`${flags.json === true ? data : lineOf(data)}\n`);
      }
      if (flags.follow !== true) return;
    } catch (error) {
      if (signal.aborted) return;
      // A coordinator that is being started again comes back; anything else is final.
      const isGone = !(error instanceof CommandError) || error.exitCode === EXIT.failed;
      if (flags.follow !== true || !isGone || tries >= MOST_TRIES) throw error;
    }
    if (signal.aborted) return;
    if (!isAway) process.stderr.write(`${origin} is away; asking again for ${MOST_TRIES} s\n`);
    isAway = true;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** A line of the log as it is told: `12:30:05 info  run-changed  task=films run=paused by=ada`. @param data the line as JSON. */
export function lineOf(data: string): string {
  const { id: _id, level, time, event, ...fields } = JSON.parse(data) as Record<string, unknown>;
  const said = Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`);
  return `${String(time)} ${String(level).padEnd(5)} ${String(event).padEnd(15)} ${said.join(' ')}`.trimEnd();
}

/** A value of a line; of an object each of its own, `wrong-model:3,battery:1`. */
function fieldText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, part]) => `${name}:${fieldText(part)}`)
    .join(',');
}
