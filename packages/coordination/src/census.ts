import { applyEntry, EMPTY_HISTORY, type TaskHistory } from './history.ts';
import { decodeJournalEntry } from './journal.ts';
import type { RunnerPorts } from './ports.ts';
import type { TaskConfig } from './task-config.ts';
import { checkTaskConfig } from './task-problems.ts';
import { TaskRunner } from './task-runner.ts';

/**
 * Opens what runs a task. One with a census is first run as it is, until it knows how many interactions a person has; then the task that
 * follows from it takes over its clients.
 *
 * @param replace hears of the runner that takes over, before anything is told to it.
 * @throws {StaleTaskError} if the store holds a task of the same name with another model or catalogue.
 */
export async function openRunner(
  config: TaskConfig,
  ports: RunnerPorts,
  replace: (next: TaskRunner, first: TaskRunner) => void,
): Promise<TaskRunner> {
  const { census } = config;
  if (census === undefined) return opened(config, ports);
  const { meanHistory: known, round } = await historyOf(config, ports);
  if (known !== undefined) return opened(counted(config, known), ports);
  // Numbers that something was trained with stay.
  if (round > 0) return opened(withoutCensus(config), ports);
  const first = new TaskRunner(config, {
    ...ports,
    emit(event) {
      ports.emit(event);
      if (event.type !== 'evaluated' || event.record.metrics.meanHistory === undefined) return;
      first
        .handOver(follow)
        .catch((error: unknown) =>
          ports.emit({ type: 'failed', task: config.name, error: asError(error), fatal: true }),
        );
    },
  });
  async function follow(): Promise<TaskRunner> {
    const { meanHistory = 1 } = await historyOf(config, ports);
    const next = await opened(counted(config, meanHistory), ports);
    replace(next, first);
    return next;
  }
  await first.open();
  return first;
}

async function opened(config: TaskConfig, ports: RunnerPorts): Promise<TaskRunner> {
  const runner = new TaskRunner(config, ports);
  await runner.open();
  return runner;
}

function withoutCensus({ census: _, ...config }: TaskConfig): TaskConfig {
  return config;
}

/** The task that follows from a mean history. @throws {UsageError} if there is something wrong with it. */
function counted({ census, ...config }: TaskConfig, meanHistory: number): TaskConfig {
  const task = { ...(census?.(meanHistory) ?? config), countedHistory: meanHistory };
  checkTaskConfig(task);
  return task;
}

async function historyOf({ name }: TaskConfig, { store }: RunnerPorts): Promise<TaskHistory> {
  const entries = await store.readJournal(name);
  return entries.map(decodeJournalEntry).reduce(applyEntry, EMPTY_HISTORY);
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
