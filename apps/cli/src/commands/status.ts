import { Command } from 'commander';
import { fetchJson } from '../http.ts';
import { httpUrl } from '../parse.ts';

/** The part of /v1/status that this command reads. */
interface TaskStatusLine {
  readonly task?: unknown;
  readonly phase?: unknown;
  readonly round?: unknown;
  readonly identity?: unknown;
  readonly connected?: unknown;
  readonly waiting?: unknown;
}

const EXAMPLES = `
Examples:
  tutti status
  tutti status --coordinator https://fl.example.org --json`;

export function statusCommand(): Command {
  return new Command('status')
    .description('what a coordinator is doing')
    .option('--coordinator <url>', 'address of the coordinator', httpUrl, 'http://localhost:4170')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { coordinator: string; json?: boolean }) => {
      const status = await fetchJson(`${flags.coordinator}/v1/status`);
      if (flags.json === true) {
        process.stdout.write(`${JSON.stringify(status)}\n`);
        return;
      }
      process.stdout.write(`${statusLines(status).join('\n')}\n`);
    });
}

/** One line a task; fields that are missing show as a dash. */
export function statusLines(status: unknown): string[] {
  const tasks = isRecord(status) && Array.isArray(status['tasks']) ? (status['tasks'] as unknown[]) : [];
  if (tasks.length === 0) return ['the coordinator is up and has no task'];
  return tasks.filter(isRecord).map((task: TaskStatusLine) => {
    const show = (value: unknown): string =>
      typeof value === 'string' || typeof value === 'number' ? String(value) : '–';
    return `${show(task.task)} (identity ${show(task.identity)}): ${show(task.round)} rounds done, now ${show(task.phase)}; ${show(task.connected)} clients connected, ${show(task.waiting)} waiting`;
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
