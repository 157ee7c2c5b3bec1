import { canonicalJson, numberFrom, UsageError, wholeFrom, type Rule } from '@tutti/base';
import { ruleProblems } from './rule-problems.ts';

/** One tensor of the shared part of an app's own model. */
export interface OwnTensor {
  /** Of a–z, 0–9 and "-". */
  readonly name: string;
  /** Whether it has one row an item of the catalogue: its whole shape is then [items, …shape]. */
  readonly perItem: boolean;
  readonly shape: readonly number[];
  /** Standard deviation of its first numbers; 0 for zeros. */
  readonly spread: number;
}

/**
 * An app's own model as a coordinator knows it: what is shared and how clients train. How a model scores is the app's code, and
 * nothing of it travels; name, version and tensors say that both sides mean the same.
 */
export interface OwnConfig {
  readonly family: 'own';
  readonly name: string;
  /** To be raised when the code changes in a way that the tensors do not show. */
  readonly version: number;
  readonly shared: readonly OwnTensor[];
  /** Numbers of a person's own vector, which stays on the device; 0 for none. */
  readonly local: number;
  /** How many of a person's latest items the model is shown. */
  readonly window: number;
  /** Passes over the person's own interactions in a round. */
  readonly epochs: number;
  /** Interactions a gradient step. */
  readonly batchSize: number;
  /** Step of Adam on what is shared. */
  readonly learningRate: number;
  /** Step of Adam on the person's own vector. */
  readonly localLearningRate: number;
  /** Steps that fit the person's own vector before anything shared moves. */
  readonly personalSteps: number;
  /** Negatives drawn for each interaction, from everything outside the training positives. */
  readonly negatives: number;
}

/** What says which model it is; the rest is how it is trained. */
const IDENTITY = ['name', 'version', 'shared', 'local', 'window'] as const;

/** How an app's own model trains unless told otherwise. */
const TRAINING = {
  epochs: 1,
  batchSize: 32,
  learningRate: 0.01,
  localLearningRate: 0.05,
  personalSteps: 10,
  negatives: 8,
} as const;

/** A configuration whose training may be left out. */
export type OwnInput = Pick<OwnConfig, 'family' | (typeof IDENTITY)[number]> & Partial<OwnConfig>;

/** Largest number of tensors, of their numbers without item rows, and of numbers an item. */
const MOST_TENSORS = 64;
const MOST_NUMBERS = 4_194_304;
const MOST_AN_ITEM = 1_024;

const RULES: Readonly<Record<Exclude<keyof OwnConfig, 'family' | 'name' | 'shared'>, Rule>> = {
  version: wholeFrom(1, 1_000_000),
  local: wholeFrom(0, 4_096),
  window: wholeFrom(1, 1_000),
  epochs: wholeFrom(1, 100),
  batchSize: wholeFrom(1, 65_536),
  learningRate: numberFrom(0, 10),
  localLearningRate: numberFrom(0, 10),
  personalSteps: wholeFrom(0, 1_000),
  negatives: wholeFrom(1, 1_000),
};

/** Fills in the training that `input` leaves out. @throws {UsageError} naming each field that is wrong. */
export function resolveOwnConfig(input: OwnInput): OwnConfig {
  const config: OwnConfig = { ...TRAINING, ...input };
  const problems = ownProblems({ ...config });
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return config;
}

/** What is wrong with a configuration from anywhere, a line each. */
export function ownProblems(config: Readonly<Record<string, unknown>>): string[] {
  const unknown = Object.keys(config).filter(
    (name) => !(name in RULES) && !['family', 'name', 'shared'].includes(name),
  );
  return [
    ...unknown.map((name) => `model.${name}: is no field of an own model`),
    ...(isName(config['name']) ? [] : ['model.name: 1 to 63 of a–z, 0–9 and "-" are needed']),
    ...Object.entries(RULES).flatMap(([name, rule]) => ruleProblems(`model.${name}`, config[name], rule)),
    ...sharedProblems(config['shared']),
  ];
}

const isName = (value: unknown): boolean => typeof value === 'string' && /^[a-z][a-z0-9-]{0,62}$/.test(value);

function sharedProblems(shared: unknown): string[] {
  if (!Array.isArray(shared) || shared.length < 1 || shared.length > MOST_TENSORS)
    return [`model.shared: 1 to ${MOST_TENSORS} tensors are needed`];
  const list = shared as readonly unknown[];
  const problems = list.flatMap((tensor, index) => tensorProblems(tensor, `model.shared[${index}]`));
  if (problems.length > 0) return problems;
  const tensors = list as readonly OwnTensor[];
  const names = new Set(tensors.map(({ name }) => name));
  const numbers = (perItem: boolean): number =>
    tensors
      .filter((tensor) => tensor.perItem === perItem)
      .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  return [
    ...(names.size === tensors.length ? [] : ['model.shared: two tensors have one name']),
    ...(numbers(true) <= MOST_AN_ITEM
      ? []
      : [`model.shared: ${numbers(true)} numbers an item; at most ${MOST_AN_ITEM} are allowed`]),
    ...(numbers(false) <= MOST_NUMBERS
      ? []
      : [`model.shared: ${numbers(false)} numbers; at most ${MOST_NUMBERS} are allowed`]),
  ];
}

function tensorProblems(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [`${path}: is not an object`];
  const { name, perItem, shape, spread, ...rest } = value as Record<string, unknown>;
  const sizes =
    Array.isArray(shape) &&
    shape.length <= 4 &&
    shape.every((size) => Number.isInteger(size) && size >= 1 && size <= MOST_NUMBERS);
  return [
    ...Object.keys(rest).map((field) => `${path}.${field}: is no field of a tensor`),
    ...(isName(name) ? [] : [`${path}.name: 1 to 63 of a–z, 0–9 and "-" are needed`]),
    ...(typeof perItem === 'boolean' ? [] : [`${path}.perItem: true or false is needed`]),
    ...(sizes ? [] : [`${path}.shape: at most four sizes from 1 to ${MOST_NUMBERS} are needed`]),
    ...(typeof spread === 'number' && spread >= 0 && spread <= 10
      ? []
      : [`${path}.spread: a number from 0 to 10 is needed`]),
  ];
}

/** Whether two configurations are of one model, however each trains it. */
export function isSameModel(a: OwnConfig, b: OwnConfig): boolean {
  const identity = (config: OwnConfig): string =>
    canonicalJson(Object.fromEntries(IDENTITY.map((name) => [name, config[name]])));
  return identity(a) === identity(b);
}
