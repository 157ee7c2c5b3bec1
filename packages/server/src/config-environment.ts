import { isForbidden, type Assignment } from './config-sources.ts';
import type { Path } from './paths.ts';

/**
 * Values of the configuration from the environment: `TUTTI_LISTEN_PORT` is `listen.port`, and
 * `TUTTI_TASKS_0_ROUND_SMALLEST_COHORT` is `tasks[0].round.smallestCohort`. The names follow from the JSON schema.
 */

const PREFIX = 'TUTTI_';

/** Variables of this name that are no part of a coordinator's configuration. */
const OTHERS = new Set(['TUTTI_TOKEN', 'TUTTI_COORDINATOR', 'TUTTI_DATA', 'TUTTI_CHROMIUM', 'TUTTI_COUNTS']);

/** What Kubernetes tells every container of a service that is named tutti. */
const SERVICE_LINK = /_(?:SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)|PORT(?:_\d+_(?:TCP|UDP)(?:_[A-Z]+)?)?)$/;
const isServiceLink = (name: string, value: string): boolean =>
  SERVICE_LINK.test(name) &&
  (name.includes('_SERVICE_') || /_\d+_(?:TCP|UDP)/.test(name) || value.includes('://'));

/** A part of a JSON schema, as far as it is read here. */
interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
}

/** What the environment sets. */
export interface FromEnvironment {
  readonly assignments: readonly Assignment[];
  /** Variables that name nothing: a mistyped name is not passed over. */
  readonly unknown: readonly string[];
}

/** Reads the variables that begin with `TUTTI_`. @param schema the configuration's JSON schema. */
export function readEnvironment(
  schema: Record<string, unknown>,
  environment: Readonly<Record<string, string | undefined>>,
): FromEnvironment {
  const assignments: Assignment[] = [];
  const unknown: string[] = [];
  for (const [name, text] of Object.entries(environment).sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (text === undefined || !name.startsWith(PREFIX) || OTHERS.has(name)) continue;
    const found = find(schema, name.slice(PREFIX.length).split('_'));
    if (found !== undefined)
      assignments.push({ path: found.path, value: valueOf(text, found.schemas), origin: name });
    else if (!isServiceLink(name, text)) unknown.push(name);
  }
  return { assignments, unknown };
}

/** The variable for a path: `listen.trustedProxies` is `TUTTI_LISTEN_TRUSTED_PROXIES`. */
export const variableOf = (path: Path): string =>
  PREFIX + path.flatMap((part) => wordsOf(String(part))).join('_');

/** `smallestCohort` in the words of a variable's name. */
const wordsOf = (name: string): string[] =>
  name
    .replace(/([A-Z])/g, ' $1')
    .toUpperCase()
    .split(/[ _-]/);

interface Found {
  readonly path: Path;
  readonly schemas: readonly Schema[];
}

function find(schema: Schema, words: readonly string[]): Found | undefined {
  const variants = variantsOf(schema);
  if (words.length === 0) return { path: [], schemas: variants };
  return inObject(variants, words) ?? inList(variants, words) ?? inLoose(variants, words);
}

function inObject(variants: readonly Schema[], words: readonly string[]): Found | undefined {
  const properties = new Map<string, Schema[]>();
  for (const variant of variants)
    for (const [name, schema] of Object.entries(variant.properties ?? {}))
      properties.set(name, [...(properties.get(name) ?? []), schema]);
  // The longest name first: what two names could begin, the longer one does.
  const names = [...properties.keys()].sort((one, other) => wordsOf(other).length - wordsOf(one).length);
  for (const name of names) {
    const own = wordsOf(name);
    if (name.startsWith('$') || !own.every((word, at) => words[at] === word)) continue;
    const below = find({ anyOf: properties.get(name) ?? [] }, words.slice(own.length));
    if (below !== undefined) return { ...below, path: [name, ...below.path] };
  }
  return undefined;
}

function inList(variants: readonly Schema[], [index = '', ...rest]: readonly string[]): Found | undefined {
  const items = variants.flatMap((variant) => variant.items ?? []);
  if (items.length === 0 || !/^\d{1,3}$/.test(index)) return undefined;
  const below = find({ anyOf: items }, rest);
  return below && { ...below, path: [Number(index), ...below.path] };
}

/** Objects that take any name: the words in camel case. */
function inLoose(variants: readonly Schema[], words: readonly string[]): Found | undefined {
  if (!variants.some(({ additionalProperties: more }) => typeof more === 'object')) return undefined;
  const name = words
    .map((word, at) => (at === 0 ? word.toLowerCase() : word[0] + word.slice(1).toLowerCase()))
    .join('');
  return /^[a-zA-Z]\w*$/.test(name) && !isForbidden(name) ? { path: [name], schemas: [{}] } : undefined;
}

const variantsOf = (schema: Schema): Schema[] => {
  const below = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return below.length === 0 ? [schema] : below.flatMap(variantsOf);
};

/** A number, a truth, a list or an object where the schema takes one; text otherwise. */
function valueOf(text: string, schemas: readonly Schema[]): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  return typeof value !== 'string' && schemas.some((schema) => takes(schema, value)) ? value : text;
}

function takes({ type, const: only, enum: some, properties }: Schema, value: unknown): boolean {
  if (only !== undefined) return only === value;
  if (some !== undefined) return some.includes(value);
  const isObject = typeof value === 'object' && value !== null;
  switch (type) {
    case 'string':
      return false;
    case 'integer':
    case 'number':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject && !Array.isArray(value);
    case undefined:
      return properties === undefined;
    default:
      return false;
  }
}
