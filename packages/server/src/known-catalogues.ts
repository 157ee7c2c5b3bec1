import { changedCatalogue, knownCatalogue, type Blobs, type Store } from '@tutti/coordination';
import type { CoordinatorConfig } from './config.ts';
import { ConfigError } from './errors.ts';

/**
 * The configuration with each task's catalogue as it follows from what the store knows of the task: known items keep their row, new ones
 * come behind them, missing ones are retired.
 * @throws {ConfigError} where fewer than half of a task's known items are left: it is another catalogue.
 */
export async function withKnownCatalogues(
  config: CoordinatorConfig,
  storage: { readonly store: Store; readonly blobs: Blobs },
): Promise<CoordinatorConfig> {
  const problems: string[] = [];
  const tasks = await Promise.all(
    config.tasks.map(async (task, index) => {
      const known = await knownCatalogue(storage, task.name);
      if (known === undefined) return task;
      const catalogue = changedCatalogue(known, task.catalogue);
      if (catalogue !== undefined) return { ...task, catalogue };
      problems.push(
        `tasks[${index}].catalogue: has fewer than half of the ${known.ids.length} items that task ${task.name} knows; it may grow and lose some, but for another catalogue use another name, or another folder`,
      );
      return task;
    }),
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...config, tasks: tasks as CoordinatorConfig['tasks'] };
}
