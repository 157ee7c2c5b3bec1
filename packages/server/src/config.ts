import { canonicalJson, fromHex, UsageError, utf8 } from '@tutti/base';
import { COMBINATIONS, STRATEGY_NAMES, type StrategyConfig } from '@tutti/aggregation';
import { chooseSlice, problemsOfTask, type IdentityConfig, type TaskConfig } from '@tutti/coordination';
import { LogMirror } from '@tutti/identity';
import {
  createModel,
  MODEL_FAMILIES,
  privateClippingNorm,
  privateStrategy,
  recommended,
  resolveModelConfig,
  summingStrategy,
  withProximalTerm,
  type DataFacts,
  type Model,
  type ModelConfig,
  type ModelInput,
} from '@tutti/model';
import { LARGEST_COMPLETE_GRAPH, LARGEST_GROUP, MODES, SMALLEST_COHORTS } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import * as z from 'zod';
import { ConfigError } from './errors.ts';
import {
  adaptiveClippingSchema,
  countsEpsilon,
  isCorrelated,
  privacySchema,
  withPrivacy,
} from './privacy-config.ts';

/** What a coordinator is run with: one JSON file. Every field says what it means, and the JSON schema is made from here. */

const catalogue = z
  .strictObject({
    ids: z
      .array(z.string().min(1).max(200))
      .min(1)
      .max(1_048_576)
      .describe('the app’s own item ids; their order is the order of the item table'),
    titles: z.array(z.string().max(500)).optional(),
    genres: z.array(z.array(z.string().max(100)).max(50)).optional(),
  })
  .check(({ value: { ids, titles, genres }, issues }) => {
    const refuse = (name: string, message: string): void =>
      void issues.push({ code: 'custom', input: undefined, path: [name], message });
    const seen = new Set<string>();
    const twice = ids.find((id) => seen.has(id) || !seen.add(id));
    if (twice !== undefined) refuse('ids', `${twice} stands there twice`);
    for (const [name, list] of Object.entries({ titles, genres }))
      if (list !== undefined && list.length !== ids.length)
        refuse(name, `has ${list.length} entries; there are ${ids.length} ids`);
  });

const model = z
  .looseObject({ family: z.enum(['embedding-mlp', ...MODEL_FAMILIES, 'own']) })
  .describe(
    'the model family and its numbers; what is left out follows from the data. own: an app’s own model, as defineModel gives its config (docs/own-model.md)',
  );

const strategy = z.strictObject({
  name: z.enum(STRATEGY_NAMES),
  learningRate: z.number().positive().optional(),
  beta1: z.number().optional(),
  beta2: z.number().optional(),
  tau: z.number().optional(),
  weightDecay: z.number().optional(),
});

const milliseconds = z.int().min(1).max(3_600_000);

const publicKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'an Ed25519 public key, 64 lower-case hexadecimal digits, is expected');

const task = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a name of a-z, 0-9 and "-", at most 63, is expected'),
  catalogue,
  identity: z
    .discriminatedUnion('level', [
      z.strictObject({ level: z.enum(['open', 'pinned']) }),
      z.strictObject({ level: z.literal('enrolled'), authority: publicKey }),
      z.strictObject({
        level: z.literal('transparent'),
        authority: publicKey,
        url: z.url({ protocol: /^https?$/ }).describe('where the authority’s log is read'),
      }),
    ])
    .prefault({ level: 'open' })
    .describe(
      'how sure devices can be of each other (docs/identity.md); in production enrolled or transparent, with the public key of an authority that is not run here',
    ),
  /** Mean interactions a person, where it is known: defaults follow from it. */
  meanHistory: z.number().positive().max(1e6).default(50),
  model: model.prefault({ family: 'mlp' }),
  strategy: strategy.optional(),
  clippingNorm: z.number().positive().max(1e9).optional(),
  rounds: z.int().min(0).max(0xffff_ffff).default(1_000_000).describe('updates to make'),
  round: z
    .strictObject({
      cohort: z.int().min(1).max(1_000_000).default(100),
      smallestCohort: z.int().min(1).max(1_000_000).optional(),
      largestGroup: z
        .int()
        .min(2)
        .max(LARGEST_GROUP)
        .default(LARGEST_COMPLETE_GRAPH)
        .describe('clients that mask together at most; above 128 their graph is sparse'),
      combine: z
        .enum(COMBINATIONS)
        .default('mean')
        .describe('how groups become one update; median and trimmed-mean bear a poisoned group'),
      mode: z
        .enum(MODES)
        .default('semi-honest')
        .describe('active: survivors are signed before anyone unmasks'),
      graph: z
        .strictObject({
          corruptPermille: z.int().min(0).max(333).default(50),
          dropoutPermille: z.int().min(0).max(500).default(50),
          largestComplete: z.int().min(2).max(LARGEST_COMPLETE_GRAPH).default(LARGEST_COMPLETE_GRAPH),
        })
        .prefault({})
        .describe('what a sparse graph bears, in thousandths of a group'),
      wordBits: z
        .union([z.literal(24), z.literal(32), z.literal('auto')])
        .default('auto')
        .describe(
          'bits of a word on the wire; auto: 24 where there is noise and they cost nothing, 32 otherwise',
        ),
      overselection: z.number().min(1).max(10).default(1.3),
      poissonPopulation: z
        .int()
        .min(1)
        .max(1_000_000_000)
        .optional()
        .describe(
          'all the clients that there are; each is then asked by a coin of its own with chance cohort · overselection over it, which is what makes readers of the model see less',
        ),
      selectionMs: z.int().min(0).max(3_600_000).optional(),
      slice: z
        .union([
          z.enum(['auto', 'off']),
          z.strictObject({
            rows: z.int().min(1).max(1_048_576),
            head: z
              .int()
              .min(0)
              .max(1_048_576)
              .optional()
              .describe('rows that stay for a cycle; half of them'),
          }),
        ])
        .default('auto')
        .describe(
          'how a wide catalogue travels: in public slices of so many rows; auto slices above 16,384 items',
        ),
      deadlines: z
        .strictObject({
          trainMs: milliseconds.default(120_000),
          revealNoncesMs: milliseconds.default(30_000),
          shareKeysMs: milliseconds.default(30_000),
          maskedInputMs: milliseconds.default(60_000),
          survivorsMs: milliseconds.default(30_000),
          unmaskMs: milliseconds.default(30_000),
        })
        .prefault({}),
    })
    .prefault({}),
  adaptiveClipping: adaptiveClippingSchema.describe('lets the clipping norm follow the updates'),
  metrics: z
    .boolean()
    .default(true)
    .describe('loss and ranking lanes; each costs a part of a privacy budget'),
  privacy: privacySchema,
  seed: z.string().max(200).default('1'),
  keepCheckpoints: z.int().min(1).max(1_000_000).default(10),
  insecureSmallCohort: z.boolean().default(false),
  insecurePlain: z.boolean().default(false).describe('no masks at all: for tests and measurements only'),
});

/** The form of a coordinator's configuration. */
export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  listen: z
    .strictObject({ host: z.string().default('127.0.0.1'), port: z.int().min(0).max(65_535).default(4_170) })
    .prefault({}),
  store: z.string().default('lmdb:./.tutti').describe('where everything is kept'),
  tasks: z.array(task).min(1).max(64),
});

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
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.map(({ path, message }) => `${pathText(path)}: ${message}`));
}

const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  ) || 'config';

/**
 * Tasks for the engine. Those that ask for one authority's log share its mirror, which is empty yet.
 * @throws {ConfigError} with everything that does not fit together.
 */
export function tasksOf(config: CoordinatorConfig): TaskConfig[] {
  const mirrors = new Map<string, LogMirror>();
  const problems: string[] = [];
  const tasks = config.tasks.flatMap((entry, index) => {
    try {
      const made = { ...taskOf(entry), identity: identityOf(entry, mirrors) };
      problems.push(
        ...problemsOfTask(made).map(({ path, problem }) => `tasks[${index}].${configPath(path)}: ${problem}`),
      );
      return [made];
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push(...error.message.split('\n').map((line) => `tasks[${index}].${line}`));
      return [];
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return tasks;
}

function identityOf(
  { identity }: CoordinatorConfig['tasks'][number],
  mirrors: Map<string, LogMirror>,
): IdentityConfig {
  if (identity.level !== 'transparent') return identity;
  const { level, authority, url } = identity;
  const name = `${authority} ${url}`;
  const log = mirrors.get(name) ?? new LogMirror(fromHex(authority), nodeCrypto);
  mirrors.set(name, log);
  return { level, authority, log };
}

/** Where the engine's fields stand in the file. */
const configPath = (path: string): string =>
  path
    .replace(/^cohort\.planned$/, 'round.cohort')
    .replace(/^cohort\.smallest$/, 'round.smallestCohort')
    .replace(/^cohort\./, 'round.')
    .replace(/^(combine$|graph\.|wordBits)/, 'round.$1')
    .replace(/^slice\./, 'round.slice.')
    .replace(/^poisson(\.population)?$/, 'round.poissonPopulation')
    .replace(/^noise\.accounting\.dpDelta$/, 'privacy.delta')
    .replace(/^noise\.accounting\.epsilonBudget$/, 'privacy.epsilon')
    .replace(/^noise\.accounting\.against$/, 'privacy.against')
    .replace(/^noise\.multiplier$/, 'privacy.noiseMultiplier')
    .replace(/^noise\.metricMultiplier$/, 'privacy.metricNoiseMultiplier')
    .replace(/^noise\.accounting$/, 'privacy')
    .replace(/^noise\./, 'privacy.');

function taskOf(entry: CoordinatorConfig['tasks'][number]): TaskConfig {
  const { round, privacy } = entry;
  const items = entry.catalogue.ids.length;
  const facts = { items, meanHistory: entry.meanHistory };
  const family = entry.model.family === 'embedding-mlp' ? 'mlp' : entry.model.family;
  const input = { ...entry.model, family } as ModelInput;
  const config = resolveModelConfig(
    entry.strategy?.name === 'fedprox' ? withProximalTerm(input) : input,
    facts,
  );
  const task = plainTask(entry, createModel(config, items), strategyOf(entry, config, facts));
  const noisy = withPrivacy(task, privacy);
  if (entry.strategy !== undefined || isCorrelated(privacy)) return noisy;
  const noiseStddev = (noisy.noise.multiplier * noisy.clippingNorm) / round.cohort;
  const strategy = countsEpsilon(privacy)
    ? privateStrategy(config, facts, noiseStddev)
    : recommended(config, facts, noiseStddev).strategy;
  return { ...noisy, strategy };
}

/** What suits a model where the file says nothing else: strategy and clipping norm. */
function strategyOf(
  { strategy, clippingNorm, privacy }: CoordinatorConfig['tasks'][number],
  config: ModelConfig,
  facts: DataFacts,
): Pick<TaskConfig, 'strategy' | 'clippingNorm'> {
  const suited = recommended(config, facts);
  return {
    strategy: (strategy ??
      (isCorrelated(privacy) ? summingStrategy(config, facts) : suited.strategy)) as StrategyConfig,
    clippingNorm:
      clippingNorm ?? (countsEpsilon(privacy) ? privateClippingNorm(config, facts) : suited.clippingNorm),
  };
}

/** The task without its noise. */
function plainTask(
  entry: CoordinatorConfig['tasks'][number],
  model: Model,
  suited: Pick<TaskConfig, 'strategy' | 'clippingNorm'>,
): TaskConfig {
  const { round } = entry;
  const slice = chooseSlice(model.items, round.slice);
  return {
    name: entry.name,
    model,
    catalogue: utf8(canonicalJson(entry.catalogue)),
    ...suited,
    rounds: entry.rounds,
    cohort: {
      planned: round.cohort,
      smallest:
        round.smallestCohort ??
        Math.min(round.cohort, Math.max(SMALLEST_COHORTS[round.mode], Math.ceil(round.cohort / 2))),
      largestGroup: round.largestGroup,
      overselection: round.overselection,
    },
    deadlinesMs: {
      train: round.deadlines.trainMs,
      revealNonces: round.deadlines.revealNoncesMs,
      shareKeys: round.deadlines.shareKeysMs,
      maskedInput: round.deadlines.maskedInputMs,
      survivors: round.deadlines.survivorsMs,
      unmask: round.deadlines.unmaskMs,
    },
    combine: round.combine,
    mode: round.mode,
    graph: round.graph,
    protection: entry.insecurePlain ? 'plain' : 'secure',
    wordBits: round.wordBits,
    noise: { multiplier: 0, metricMultiplier: 0 },
    metrics: entry.metrics,
    seed: entry.seed,
    keepCheckpoints: entry.keepCheckpoints,
    insecureSmallCohort: entry.insecureSmallCohort,
    ...(slice === undefined ? {} : { slice }),
    ...(round.selectionMs === undefined ? {} : { selectionMs: round.selectionMs }),
    ...(entry.adaptiveClipping === undefined ? {} : { adaptiveClipping: entry.adaptiveClipping }),
    ...(round.poissonPopulation === undefined ? {} : { poisson: { population: round.poissonPopulation } }),
  };
}

/** The JSON schema that editors complete from. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: 'input' });
}
