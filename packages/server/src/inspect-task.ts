import type { TaskConfig } from '@tutti/coordination';
import { MODEL_FAMILIES } from '@tutti/model';
import type * as z from 'zod';
import { problemsOf } from './api-route.ts';
import { ConfigError } from './errors.ts';
import { issuesOfForm } from './form-problems.ts';
import { makeTask, type MadeTask, type Mirrors, type Problem } from './task-of.ts';
import { taskSchema, type TaskEntry } from './task-schema.ts';

/**
 * Everything that is wrong with a task at once. What does not fit together is looked for beside what is known to be wrong: those parts are
 * taken as if nothing was said of them, and nothing more is said of them.
 */

/**
 * Tasks for the engine. Those that ask for one authority's log share its mirror, which is empty yet.
 * @throws {ConfigError} with everything that does not fit together.
 */
export function tasksOf({ tasks }: { readonly tasks: readonly TaskEntry[] }): TaskConfig[] {
  const mirrors: Mirrors = new Map();
  const made = tasks.map((entry) => engineTask(entry, mirrors));
  const problems = made.flatMap((one, index) => placed(one.problems, `tasks[${index}]`));
  if (problems.length > 0) throw new ConfigError(problems.map(({ path, problem }) => `${path}: ${problem}`));
  return made.flatMap(({ task }) => task ?? []);
}

/** One task for the engine, and everything that does not fit together in it. */
export function engineTask(entry: TaskEntry, mirrors: Mirrors): MadeTask {
  const made = makeTask(entry, mirrors);
  if (made.task !== undefined) return made;
  return { problems: [...made.problems, ...fitBeside(entry, partsOf(made.problems), mirrors)] };
}

/** A task from outside. */
export interface Inspection {
  readonly task?: TaskConfig;
  /** What is wrong with its form. */
  readonly form: readonly z.core.$ZodIssue[];
  /** What does not fit together, where the form is right. */
  readonly fit: readonly Problem[];
}

export function inspectTask(value: unknown, mirrors: Mirrors): Inspection {
  const result = taskSchema.safeParse(value);
  if (result.success) {
    const { problems, ...made } = engineTask(result.data, mirrors);
    return { ...made, form: [], fit: problems };
  }
  const form = issuesOfForm(taskSchema, value);
  const wrong = new Set(form.flatMap((issue) => partsIn(issue)));
  return { form, fit: fitBeside(value, wrong, mirrors) };
}

/** Problems of the task that stands there. */
export const placed = (problems: readonly Problem[], at: string): Problem[] =>
  problems.map(({ path, problem }) => ({
    path: `${at}.${path}`,
    problem: problem.replace('set insecureSmallCohort', `set ${at}.insecureSmallCohort`),
  }));

/** Everything that is wrong with a task by itself, its form first. */
export function taskProblems(value: unknown): Problem[] {
  const { form, fit } = inspectTask(value, new Map());
  return [...problemsOf(form, 'body'), ...fit];
}

function fitBeside(value: unknown, wrong: ReadonlySet<string>, mirrors: Mirrors): Problem[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const rest = taskSchema.safeParse(without(value as Fields, wrong));
  if (!rest.success) return [];
  const { task, problems } = makeTask(rest.data, mirrors);
  const found = problems.filter((problem) => !wrong.has(partOf(problem)));
  if (task !== undefined || found.length === 0) return found;
  return [...found, ...fitBeside(value, new Set([...wrong, ...partsOf(found)]), mirrors)];
}

type Fields = Readonly<Record<string, unknown>>;

const CATALOGUE = 'catalogue' satisfies keyof TaskEntry;

/** The part of a task that a problem is in: `round` of `round.cohort`. */
const partOf = ({ path }: Problem): string => path.split(/[.[]/)[0] ?? '';
const partsOf = (problems: readonly Problem[]): Set<string> => new Set(problems.map(partOf));

function partsIn(issue: z.core.$ZodIssue): readonly string[] {
  const [part] = issue.path;
  if (part !== undefined) return [String(part)];
  return issue.code === 'unrecognized_keys' ? issue.keys : [CATALOGUE];
}

/** The task without what is wrong with it. */
function without(task: Fields, wrong: ReadonlySet<string>): unknown {
  const kept = Object.entries(task).filter(([name]) => !wrong.has(name));
  return {
    ...Object.fromEntries(kept),
    ...(wrong.has('name') ? { name: 'task' } : {}),
    // By default there are so many that no budget is planned for them.
    ...(wrong.has('rounds') ? { rounds: 1 } : {}),
    ...(wrong.has('model') ? { model: familyAlone(task['model']) } : {}),
    ...(wrong.has(CATALOGUE) ? besideCatalogue(task) : {}),
  };
}

/** How many items there are taken to be where nobody can tell. */
const SOME_ITEMS = 1_000;

/**
 * As many items as a wrong catalogue seems to have, for the rest to be held against; but neither slices of them, nor a model that is made for
 * them.
 */
function besideCatalogue({ catalogue, round, model }: Fields): Fields {
  const ids = (catalogue as { readonly ids?: unknown } | undefined)?.ids;
  const items = Array.isArray(ids) && ids.length > 0 ? ids.length : SOME_ITEMS;
  const family = (model as { readonly family?: unknown } | undefined)?.family;
  return {
    catalogue: { ids: Array.from({ length: items }, (_, item) => `item ${item}`) },
    ...(typeof round === 'object' && round !== null ? { round: { ...round, slice: undefined } } : {}),
    ...(family === 'content' || family === 'own' ? { model: undefined } : {}),
  };
}

function familyAlone(model: unknown): { family: string } | undefined {
  const family = (model as { readonly family?: unknown } | undefined)?.family;
  const known = MODEL_FAMILIES.find((name) => name === family);
  return known === undefined ? undefined : { family: known };
}
