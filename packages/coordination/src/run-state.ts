import { JOURNAL_VERSION, type RunState } from './journal.ts';
import type { TaskParts } from './task-parts.ts';

/**
 * Writes down that a task is paused, resumed or stopped, and tells it.
 * @returns `refused` for a task that was stopped: that is for good, whoever asks for what.
 */
export async function changeRun(
  { config, log, ports }: Pick<TaskParts, 'config' | 'log' | 'ports'>,
  run: RunState,
  by: string,
): Promise<'changed' | 'same' | 'refused'> {
  const before = log.history.run;
  if (before === run) return 'same';
  if (before === 'stopped') return 'refused';
  await log.append({ v: JOURNAL_VERSION, type: 'run-changed', atMs: ports.clock.now(), run, by });
  ports.emit({ type: 'run-changed', task: config.name, run, by });
  return 'changed';
}
