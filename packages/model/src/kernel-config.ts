import { DecodeError, numberFrom, UsageError, wholeFrom, type Rule } from '@tutti/base';
import { ruleProblems } from './rule-problems.ts';
import { MODEL_FAMILIES, type ModelConfig, type ModelFamily } from './types.ts';

/** What the kernel trains, apart from the other models: who trains in it alone need not have their checks. */

const [isLayerSize] = wholeFrom(1, 4_096);

const RULES: Readonly<Record<string, Rule>> = {
  dimension: wholeFrom(1, 512),
  unobservedWeight: numberFrom(0, 10),
  regularization: numberFrom(0, 10),
  epochs: wholeFrom(1, 100),
  batchSize: wholeFrom(1, 65_536),
  learningRate: numberFrom(0, 10),
  tableLearningRate: numberFrom(0, 10),
  personScale: numberFrom(0, 100),
  negatives: wholeFrom(1, 100),
  l2: numberFrom(0, 1),
  proximal: numberFrom(0, 10),
  buckets: wholeFrom(16, 65_536),
  genreWeight: numberFrom(0, 10),
  wordWeight: numberFrom(0, 10),
  vectorLength: wholeFrom(0, 4_096),
  vectorWeight: numberFrom(0, 10),
  hidden: [
    (value) => Array.isArray(value) && value.length >= 1 && value.length <= 8 && value.every(isLayerSize),
    'one to eight sizes from 1 to 4096',
  ],
};

const FACTORIZATION = ['dimension', 'unobservedWeight', 'regularization'];
const TOWER = [
  ...FACTORIZATION,
  'personScale',
  'epochs',
  'batchSize',
  'learningRate',
  'tableLearningRate',
  'negatives',
  'l2',
  'proximal',
];

/** Every field of a family but its name and its choices. */
const FIELDS: Readonly<Record<ModelFamily, readonly string[]>> = {
  mf: FACTORIZATION,
  content: [...FACTORIZATION, 'buckets', 'genreWeight', 'wordWeight', 'vectorLength', 'vectorWeight'],
  gmf: TOWER,
  mlp: [...TOWER, 'hidden'],
  neumf: [...TOWER, 'hidden'],
};

/** Whether a configuration says that it is an app's own model. */
export const isOwn = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && 'family' in value && value.family === 'own';

/** A configuration of a built-in family, of which nothing is known but that its fields are there. */
export type Fields = Readonly<Record<string, unknown>> & { readonly family: ModelFamily };

/** @throws {DecodeError} for what is none. */
export function decodeFields(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw new DecodeError('model', 'is not an object');
  const fields = value as Fields;
  if (!MODEL_FAMILIES.includes(fields.family))
    throw new DecodeError('model.family', `is none of ${[...MODEL_FAMILIES, 'own'].join(', ')}`);
  const missing = FIELDS[fields.family].find((name) => !(name in fields));
  if (missing !== undefined) throw new DecodeError(`model.${missing}`, 'is missing');
  return fields;
}

/** Whether a field is one that every model of the family has. */
const isField = (name: string, family: ModelFamily): boolean =>
  name === 'family' || FIELDS[family].includes(name);

/** The families that have a field, which is no choice. */
export const familiesWithField = (name: string): readonly ModelFamily[] =>
  MODEL_FAMILIES.filter((family) => FIELDS[family].includes(name));

/** What is wrong with a field that is no choice: a line, or nothing. */
export function fieldProblems(name: string, value: unknown, family: ModelFamily): string[] {
  if (name === 'family') return [];
  if (!isField(name, family)) return [`model.${name}: is no field of the family ${family}`];
  return ruleProblems(`model.${name}`, value, RULES[name] as Rule);
}

/** What of a model the kernel does not have, such as `loss bpr`: it trains in TensorFlow.js then. Undefined where it has all of it. */
export function beyondKernel(config: ModelConfig): string | undefined {
  if (config.family === 'own') return `an app's own model (${config.name})`;
  const entry = Object.entries(config).find(([name]) => !isField(name, config.family));
  return entry && `${entry[0]} ${String(entry[1])}`;
}

/**
 * A configuration from outside that trains in the kernel.
 * @throws {UsageError} for one that trains in TensorFlow.js.
 * @throws {DecodeError} naming the first field that is wrong.
 */
export function decodeKernelConfig(value: unknown): ModelConfig {
  const config = (isOwn(value) ? value : decodeFields(value)) as ModelConfig;
  const beyond = beyondKernel(config);
  if (beyond !== undefined) throw new UsageError(`${beyond} trains in TensorFlow.js`);
  const [problem] = Object.entries(config).flatMap(([name, one]) =>
    fieldProblems(name, one, config.family as ModelFamily),
  );
  if (problem !== undefined) throw new DecodeError('model', problem);
  return config;
}
