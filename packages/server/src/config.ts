import type { TaskConfig } from '@tutti/coordination';
import * as z from 'zod';
import { clusterSchema, isStoreShared, STORE_NOT_SHARED } from './cluster-config.ts';
import { ConfigError } from './errors.ts';
import {
  drainSchema,
  limitsSchema,
  listenSchema,
  logSchema,
  metricsSchema,
  trackersSchema,
} from './operation-config.ts';
import { issuesOfForm } from './form-problems.ts';
import { inspectTask, placed } from './inspect-task.ts';
import { pathText } from './paths.ts';
import { isPortRight, isStoreAddress, PORT_EXPECTED, STORE_EXPECTED } from './store-address.ts';
import type { Mirrors, Problem } from './task-of.ts';
import { taskSchema } from './task-schema.ts';

/** What a coordinator is run with: one JSON file. Every field says what it means, and the JSON schema is made from here. */

/** Most tasks of a coordinator. */
export const MOST_TASKS = 64;

/** The form of a coordinator's configuration, value by value. */
const fields = z.strictObject({
  $schema: z.string().optional(),
  listen: listenSchema,
  store: z
    .string()
    .refine(isStoreAddress, STORE_EXPECTED)
    .refine(isPortRight, PORT_EXPECTED)
    .default('lmdb:./.tutti')
    .describe(
      'where everything is kept: lmdb:FOLDER, or postgres://USER@HOST:5432/DATABASE (docs/storage.md)',
    ),
  log: logSchema,
  metrics: metricsSchema,
  trackers: trackersSchema,
  drain: drainSchema,
  limits: limitsSchema,
  cluster: clusterSchema,
  tokens: z
    .string()
    .min(1)
    .optional()
    .describe(
      'file with the tokens of whoever may change something (tutti token create); read again when it changes, and without it nobody may',
    ),
  tasks: z.array(taskSchema).min(1, 'has no task; one or more are needed').max(MOST_TASKS),
});

/** And what has to fit together beyond that. */
export const configSchema = fields.refine(isStoreShared, STORE_NOT_SHARED);

/** A configuration as it is written. */
export type CoordinatorConfigInput = z.input<typeof configSchema>;
/** A configuration with every default filled in. */
export type CoordinatorConfig = z.output<typeof configSchema>;

/**
 * Checks a configuration from outside and fills in its defaults.
 * @throws {ConfigError} with everything that is wrong, each with its path and what is allowed.
 */
export function decodeConfig(value: unknown): CoordinatorConfig {
  const result = configSchema.safeParse(value);
  const same = sameNames(value);
  if (result.success && same.length === 0) return result.data;
  const problems = result.success ? same : [...formProblems(value), ...same];
  throw new ConfigError(problems.map(({ path, problem }) => `${path}: ${problem}`));
}

const formProblems = (value: unknown): Problem[] =>
  issuesOfForm(configSchema, value).map(({ path, message }) => ({
    path: pathText(path),
    problem: message + itemAt(value, path),
  }));

/** Tasks whose name an earlier one has: told beside whatever else is wrong with them. */
function sameNames(value: unknown): Problem[] {
  const names = tasksIn(value).map((task) => (task as { readonly name?: unknown } | null | undefined)?.name);
  return names.flatMap((name, index) =>
    typeof name === 'string' && names.indexOf(name) < index
      ? [{ path: `tasks[${index}].name`, problem: `another task is named ${name}` }]
      : [],
  );
}

/** Of a wrong number in a vector, the item: places alone say little among thousands. */
function itemAt(value: unknown, path: readonly PropertyKey[]): string {
  const [, , , column, row] = path;
  if (column !== 'vectors' || row === undefined) return '';
  const id = [...path.slice(0, 3), 'ids', row].reduce<unknown>(
    (part, key) => (part as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
  return ` (item ${String(id)})`;
}

/** A configuration from outside, as far as it is one. */
export interface Inspected {
  /** With its defaults; undefined where its form is wrong. */
  readonly config: CoordinatorConfig | undefined;
  /** Its tasks as the engine takes them, by their place; undefined for one that is wrong. */
  readonly tasks: readonly (TaskConfig | undefined)[];
  readonly problems: readonly Problem[];
}

/** Everything that is wrong with a configuration: its form, and what does not fit together in the parts of tasks whose form is right. */
export function inspectConfig(value: unknown): Inspected {
  const result = configSchema.safeParse(value);
  const mirrors: Mirrors = new Map();
  const made = tasksIn(value).map((entry) => inspectTask(entry, mirrors));
  return {
    config: result.data,
    tasks: made.map(({ task }) => task),
    problems: [
      ...(result.success ? [] : formProblems(value)),
      ...sameNames(value),
      ...made.flatMap(({ fit }, index) => placed(fit, `tasks[${index}]`)),
    ],
  };
}

function tasksIn(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null || !('tasks' in value)) return [];
  return Array.isArray(value.tasks) ? (value.tasks as unknown[]) : [];
}

/** The JSON schema that editors complete from. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: 'input' });
}
