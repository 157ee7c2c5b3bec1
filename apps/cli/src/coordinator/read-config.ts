import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  assignmentsOf,
  configJsonSchema,
  ConfigError,
  forbiddenIn,
  inspectConfig,
  mergeSources,
  pathText,
  printedConfig,
  readCertificate,
  readTokenFile,
  readEnvironment,
  storeAddress,
  type Assignment,
  type CoordinatorConfig,
  type Merged,
  type Path,
  type PrintedValue,
  type Problem,
} from '@tutti/server';
import { catalogueFile } from '../catalogue-file.ts';
import { CommandError } from '../exit-codes.ts';

/** Where a configuration comes from; options win over the environment, which wins over the file. */
export interface ConfigSources {
  readonly file?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly options: readonly Assignment[];
  /** Options that every task gets; their paths are below the task. */
  readonly everyTask: readonly Assignment[];
  /** Whether the file of tokens is opened too. */
  readonly opensTokens?: boolean;
}

/** A configuration that can be run, and where each of its values came from. */
export interface ReadConfig {
  readonly config: CoordinatorConfig;
  /** Every value with its origin, catalogues as the path of their file. */
  printed(): PrintedValue[];
}

/**
 * Puts a configuration together and checks all of it.
 * @throws {ConfigError} with everything that is wrong, each with its path and, where it is not the file, where it came from.
 */
export async function readConfig(sources: ConfigSources): Promise<ReadConfig> {
  const { file, environment, options } = sources;
  const inFile = file === undefined ? {} : await jsonFile(file);
  const fromFile = file === undefined ? [] : assignmentsOf(inFile, file);
  const variables = readEnvironment(configJsonSchema(), environment);
  const { known, strays } = withoutStrays(variables.assignments, [...fromFile, ...options]);
  const given = [...fromFile, ...known, ...options];
  const written = mergeSources([...given, ...forEveryTask(given, sources.everyTask)]);
  if (file === undefined && valueAt(written.value, ['tasks']) === undefined)
    throw new CommandError('Say what is recommended: --catalogue FILE, or --config FILE.');
  const problems: Problem[] = [
    ...strays,
    ...variables.unknown.map((path) => ({
      path,
      problem:
        'names nothing in the configuration (the variable of tasks[0].round.cohort is TUTTI_TASKS_0_ROUND_COHORT)',
    })),
    ...forbiddenIn(inFile).map((path) => ({
      path: pathText(path),
      problem: 'names nothing in the configuration',
    })),
  ];
  const baseOf = (path: Path): string =>
    written.originOf(path) === file && file !== undefined ? dirname(file) : '.';
  const value = withFiles(written.value, baseOf);
  const { value: whole, problems: missing } = await withCatalogues(value, baseOf);
  const inspected = inspectConfig(whole);
  const unread = new Set(missing.map(({ path }) => path));
  problems.push(
    ...missing,
    ...inspected.problems.filter(({ path }) => !unread.has(path)),
    ...certificateProblems(whole),
    ...(sources.opensTokens === true ? tokenProblems(whole) : []),
  );
  const { config } = inspected;
  if (problems.length > 0 || config === undefined)
    throw new ConfigError(problems.map((one) => told(one, written, file)));
  return { config, printed: () => printedWith(config, written, baseOf) };
}

/**
 * Variables of tasks that are not there: they would make half a task, and empty ones before it. A task that variables make whole is there,
 * where it is the next one.
 */
function withoutStrays(
  variables: readonly Assignment[],
  others: readonly Assignment[],
): { known: Assignment[]; strays: Problem[] } {
  const indexOf = ({ path: [name, index] }: Assignment): number | undefined =>
    name === 'tasks' && typeof index === 'number' ? index : undefined;
  const whole = variables.filter((one) => indexOf(one) === undefined);
  const tasks = valueAt(mergeSources([...whole, ...others]).value, ['tasks']);
  const configured = Array.isArray(tasks) ? tasks.length : 0;
  const isMade = (index: number): boolean =>
    ['name', 'catalogue'].every((part) =>
      variables.some((one) => indexOf(one) === index && one.path[2] === part),
    );
  let there = configured;
  while (isMade(there)) there++;
  const isThere = (one: Assignment): boolean => (indexOf(one) ?? -1) < there;
  const strays = variables
    .filter((one) => !isThere(one))
    .map((one) => ({
      path: one.origin,
      problem: `there is no tasks[${indexOf(one)}]; there are ${there}, counted from 0 (variables make a task by themselves with its NAME and its CATALOGUE)`,
    }));
  return { known: variables.filter(isThere), strays };
}

function forEveryTask(given: readonly Assignment[], each: readonly Assignment[]): Assignment[] {
  const tasks = valueAt(mergeSources(given).value, ['tasks']);
  if (!Array.isArray(tasks)) return [];
  return tasks.flatMap((_, index) => each.map((one) => ({ ...one, path: ['tasks', index, ...one.path] })));
}

/** A JSON object in a file. @throws {CommandError} that names the file. */
export async function jsonFile(path: string): Promise<unknown> {
  try {
    const value: unknown = JSON.parse((await readFile(path, 'utf8')).replace(/^\uFEFF/, ''));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`${path} cannot be read as JSON: ${problem}`, undefined, { cause });
  }
  throw new CommandError(`${path} does not hold a JSON object`);
}

/** Files beside the configuration: certificates, tokens and folders of curves are named from where the value stands. */
function withFiles(value: unknown, baseOf: (path: Path) => string): unknown {
  const named = [['listen', 'tls', 'certificate'], ['listen', 'tls', 'key'], ['tokens']];
  const files = named.flatMap((path): Assignment[] => {
    const written = valueAt(value, path);
    return typeof written === 'string' ? [{ path, value: resolve(baseOf(path), written), origin: '' }] : [];
  });
  const trackers = valueAt(value, ['trackers']);
  const folders = (Array.isArray(trackers) ? trackers : []).map((address: unknown, index) =>
    typeof address === 'string'
      ? address.replace(/^(jsonl|tensorboard):(.+)$/, (_, kind: string, folder: string) => {
          return `${kind}:${resolve(baseOf(['trackers', index]), folder)}`;
        })
      : address,
  );
  const tracked = folders.length === 0 ? [] : [{ path: ['trackers'], value: folders, origin: '' }];
  return mergeSources([{ path: [], value, origin: '' }, ...files, ...tracked]).value;
}

/** A catalogue that is a path is read from beside the file. */
async function withCatalogues(
  value: unknown,
  baseOf: (path: Path) => string,
): Promise<{ value: unknown; problems: Problem[] }> {
  const tasks = valueAt(value, ['tasks']);
  const problems: Problem[] = [];
  const read = async (_task: unknown, index: number): Promise<Assignment[]> => {
    const path = ['tasks', index, 'catalogue'];
    const name = valueAt(value, path);
    if (typeof name !== 'string') return [];
    try {
      return [{ path, value: await catalogueFile(resolve(baseOf(path), name)), origin: '' }];
    } catch (error) {
      problems.push({
        path: pathText(path),
        problem: error instanceof Error ? error.message : String(error),
      });
      return [];
    }
  };
  const found = Array.isArray(tasks) ? await Promise.all(tasks.map(read)) : [];
  return { value: mergeSources([{ path: [], value, origin: '' }, ...found.flat()]).value, problems };
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (part, name) =>
      typeof part === 'object' && part !== null ? (part as Record<string, unknown>)[name] : undefined,
    value,
  );
}

function certificateProblems(value: unknown): Problem[] {
  const tls = valueAt(value, ['listen', 'tls']) as { certificate?: unknown; key?: unknown } | undefined;
  if (typeof tls?.certificate !== 'string' || typeof tls.key !== 'string') return [];
  const { certificate, key } = tls;
  return problemsOf(() => readCertificate({ certificate, key }));
}

function tokenProblems(value: unknown): Problem[] {
  const file = valueAt(value, ['tokens']);
  return typeof file === 'string' && file !== '' ? problemsOf(() => readTokenFile(file)) : [];
}

/** What is wrong with files that are opened at a start. */
function problemsOf(open: () => unknown): Problem[] {
  try {
    open();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((line) => {
      const [path = '', ...rest] = line.split(': ');
      return { path, problem: rest.join(': ') };
    });
  }
}

/** A problem with its path; and where its value came from, unless that is the file. */
function told({ path, problem }: Problem, { originOf }: Merged, file: string | undefined): string {
  const origin = originOf(pathOf(path));
  return origin === undefined || origin === file
    ? `${path}: ${problem}`
    : `${path}: ${problem} (from ${origin})`;
}

const pathOf = (text: string): Path =>
  text.split(/[.[\]]+/).flatMap((part) => (part === '' ? [] : [/^\d+$/.test(part) ? Number(part) : part]));

/** Files and folders are printed as they are opened: with their whole path, wherever the value stands. */
function printedWith(
  config: CoordinatorConfig,
  written: Merged,
  baseOf: (path: Path) => string,
): PrintedValue[] {
  const tasks = config.tasks.map((task, index) => {
    const path = ['tasks', index, 'catalogue'];
    const name = valueAt(written.value, path);
    return typeof name === 'string' ? { ...task, catalogue: resolve(baseOf(path), name) } : task;
  });
  const address = storeAddress(config.store);
  const store = address.kind === 'lmdb' ? `lmdb:${resolve(address.folder)}` : config.store;
  return printedConfig({ ...config, store, tasks } as unknown as CoordinatorConfig, written);
}
