import { utf8 } from '@tutti/base';
import type { Store } from '@tutti/coordination';
import type { CoordinatorConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { pathText } from './paths.ts';
import { taskSchema, type TaskEntry } from './task-schema.ts';

/** Tasks that were created while a coordinator ran are kept in its store, beside their journals. */

/** Where their names are kept. */
const NAMES = 'created-tasks';
const keyOf = (name: string): string => `created-task/${name}`;

/** Keeps a task: from now on it is there after every start. */
export async function keepCreatedTask(store: Store, entry: TaskEntry): Promise<void> {
  await store.put(keyOf(entry.name), utf8(JSON.stringify(entry)));
  const names = await namesIn(store);
  if (!names.includes(entry.name)) await putNames(store, [...names, entry.name]);
}

/** A task that was created. @throws {ConfigError} for one that this version does not take. */
export async function readCreatedTask(store: Store, name: string): Promise<TaskEntry | undefined> {
  return (await store.get(keyOf(name))) === undefined ? undefined : readTask(store, name);
}

/** Keeps a task no longer. */
export async function forgetCreatedTask(store: Store, name: string): Promise<void> {
  await putNames(
    store,
    (await namesIn(store)).filter((other) => other !== name),
  );
}

/**
 * The configuration with the tasks that were created; one that the file names too is as the file says.
 * @throws {ConfigError} for one that this version does not take.
 */
export async function withCreatedTasks(config: CoordinatorConfig, store: Store): Promise<CoordinatorConfig> {
  const inFile = new Set(config.tasks.map(({ name }) => name));
  const names = (await namesIn(store)).filter((name) => !inFile.has(name));
  const created = await Promise.all(names.map((name) => readTask(store, name)));
  return { ...config, tasks: [...config.tasks, ...created] };
}

async function readTask(store: Store, name: string): Promise<TaskEntry> {
  const result = taskSchema.safeParse(jsonOf(await store.get(keyOf(name))));
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues.map(({ path, message }) => `created task ${name}: ${pathText(path)}: ${message}`),
  );
}

async function namesIn(store: Store): Promise<readonly string[]> {
  const names = jsonOf(await store.get(NAMES));
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}

const putNames = (store: Store, names: readonly string[]): Promise<void> =>
  store.put(NAMES, utf8(JSON.stringify(names)));

const jsonOf = (bytes: Uint8Array | undefined): unknown =>
  bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes));
