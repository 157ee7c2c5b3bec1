import { canonicalJson, messageOf, UsageError } from '@tutti/base';
import type { OwnModel } from '@tutti/model';
import type { ThreadSetup } from './thread.ts';

/** The definition of an app's own model, from the module that exports it. @throws {UsageError} where it exports none like it. */
export async function importDefinition({
  model,
  definedIn,
}: Pick<ThreadSetup, 'model' | 'definedIn'>): Promise<{ definition?: OwnModel }> {
  if (definedIn === undefined || model.family !== 'own') return {};
  const exported = await exportsOf(definedIn, `model ${model.name} ${model.version}`);
  const wanted = canonicalJson(model);
  const definition = exported.filter(isOwnModel).find(({ config }) => canonicalJson(config) === wanted);
  if (definition !== undefined) return { definition };
  throw new UsageError(
    `${definedIn} exports no model ${model.name} ${model.version} with this configuration`,
  );
}

async function exportsOf(module: string, name: string): Promise<unknown[]> {
  try {
    return Object.values((await import(module)) as Record<string, unknown>);
  } catch (cause) {
    throw new UsageError(`${name}: its module ${module} cannot be imported: ${messageOf(cause)}`, { cause });
  }
}

function isOwnModel(value: unknown): value is OwnModel {
  return (
    typeof value === 'object' &&
    value !== null &&
    'config' in value &&
    'score' in value &&
    typeof value.score === 'function'
  );
}
