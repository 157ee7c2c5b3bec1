import { EnvironmentError } from '@tutti/base';
import {
  StaleTaskError,
  TaskExistsError,
  type Blobs,
  type Coordination,
  type CreatedTasks,
  type Store,
  type TaskConfig,
} from '@tutti/coordination';
import { unownedTask } from './absent-task.ts';
import { ApiError, badRequest } from './api-route.ts';
import { MOST_TASKS, type CoordinatorConfig } from './config.ts';
import { forgetCreatedTask, keepCreatedTask, readCreatedTask } from './created-tasks.ts';
import { ConfigError } from './errors.ts';
import { engineTask } from './inspect-task.ts';
import { withKnownCatalogues } from './known-catalogues.ts';
import type { Log } from './log.ts';
import type { Problem } from './task-of.ts';
import type { TaskEntry } from './task-schema.ts';

/** Adds tasks to a coordinator that runs. */
export interface TaskCreator {
  /**
   * Begins a task, which is there after every start from now on.
   * @param by name of whoever asks for it.
   * @throws {ApiError} with everything that is wrong with it, or if there is one of this name.
   */
  create(entry: TaskEntry, by: string): Promise<void>;
  /** Whether what somebody sent has the name of a task that there is. */
  nameProblems(value: unknown): readonly Problem[];
}

/** What tasks are added to. */
export interface CreatorOptions {
  readonly coordination: Coordination;
  readonly config: CoordinatorConfig;
  readonly store: Store;
  readonly blobs: Blobs;
  readonly log: Log;
  /** Reads the log of a transparent task's authority, and keeps it up to date. */
  readonly followLogs: (entry: TaskEntry, task: TaskConfig) => Promise<void>;
}

export function taskCreator(options: CreatorOptions): TaskCreator {
  const { coordination, store, log, followLogs } = options;
  let last: Promise<unknown> = Promise.resolve();
  function nameProblems(value: unknown): readonly Problem[] {
    const name = (value as { readonly name?: unknown } | undefined | null)?.name;
    if (typeof name !== 'string' || coordination.taskInfo(name) === undefined) return [];
    return [{ path: 'name', problem: `there is a task ${name}; take another name` }];
  }
  async function create(entry: TaskEntry, by: string): Promise<void> {
    const { name } = entry;
    const taken = nameProblems(entry);
    if (taken.length > 0) throw takenName(entry, taken);
    if (coordination.taskNames.length >= MOST_TASKS)
      throw new ApiError(409, 'task/too-many', `this coordinator has ${MOST_TASKS} tasks, as many as it may`);
    const task = await checkedTask(entry, options);
    await followLogs(entry, task).catch((error: unknown) => {
      if (!(error instanceof EnvironmentError)) throw error;
      throw badRequest([{ path: 'identity.url', problem: error.message }]);
    });
    let isKept = false;
    const keep = async (): Promise<void> => {
      await keepCreatedTask(store, entry);
      isKept = true;
    };
    await coordination.addTask(task, keep).catch(async (error: unknown) => {
      if (isKept) await forgetCreatedTask(store, name);
      const exists = error instanceof StaleTaskError || error instanceof TaskExistsError;
      throw exists ? new ApiError(409, 'task/exists', error.message) : error;
    });
    log.write('task-created', { task: name, by });
    if (coordination.status(name) !== undefined) return;
    throw unownedTask(`task ${name} is kept, and begins once an owner is there`);
  }
  return {
    nameProblems,
    create(entry, by) {
      // One after another: two of one name cannot both find that there is none.
      const created = last.then(() => create(entry, by));
      last = created.catch(() => undefined);
      return created;
    },
  };
}

/** Tasks that other processes of this coordinator create, as they kept them. */
export function createdTasks(options: Omit<CreatorOptions, 'coordination' | 'log'>): CreatedTasks {
  return {
    async load(name) {
      const entry = await readCreatedTask(options.store, name);
      if (entry === undefined) return undefined;
      const task = await checkedTask(entry, options);
      await options.followLogs(entry, task);
      return task;
    },
  };
}

/** That there is a task of this name, and what else is wrong. */
function takenName(entry: TaskEntry, taken: readonly Problem[]): ApiError {
  const { problems } = engineTask(entry, new Map());
  if (problems.length > 0) return badRequest([...taken, ...problems]);
  return new ApiError(409, 'task/exists', taken.map(({ problem }) => problem).join());
}

/** The task for the engine. @throws {ApiError} with everything that does not fit together. */
async function checkedTask(
  entry: TaskEntry,
  { config, store, blobs }: Pick<CreatorOptions, 'config' | 'store' | 'blobs'>,
): Promise<TaskConfig> {
  const known = await withKnownCatalogues({ ...config, tasks: [entry] }, { store, blobs }).catch(
    (error: unknown) => {
      if (!(error instanceof ConfigError)) throw error;
      throw badRequest([...error.problems.map(problemIn), ...engineTask(entry, new Map()).problems]);
    },
  );
  const { task, problems } = engineTask(known.tasks[0] as TaskEntry, new Map());
  if (task !== undefined && problems.length === 0) return task;
  throw badRequest(problems);
}

/** `tasks[0].round.cohort: …`, of a task by itself. */
function problemIn(line: string): Problem {
  const [path = '', ...rest] = line.split(': ');
  return { path: path.replace(/^tasks\[0\]\.?/, ''), problem: rest.join(': ') };
}
