import { assertNever, DecodeError, UsageError } from '@tutti/base';
import { choiceProblems, familiesWithChoice, togetherProblems, withoutUsual } from './choices.ts';
import { decodeFields, familiesWithField, fieldProblems, isOwn } from './kernel-config.ts';
import { ownProblems, resolveOwnConfig } from './own-config.ts';
import type {
  BuiltInConfig,
  ContentConfig,
  LocalSolve,
  ModelConfig,
  ModelFamily,
  ModelInput,
  TowerTraining,
} from './types.ts';

/** What the defaults follow from: both are secure sums of one lane in a federation. */
export interface DataFacts {
  readonly items: number;
  /** Mean interactions a person. */
  readonly meanHistory: number;
  /** Mean of the ratings, where there are any. */
  readonly meanRating?: number;
}

/** Weight of unobserved items by the rule a0 ≈ 10·n̄/I (recommendation-quality.md §3). */
const UNOBSERVED_FACTOR = 10;

/** Largest λ of the rule λ ≈ min(.03, 1/n̄). */
const LARGEST_REGULARIZATION = 0.03;

/** Defaults of the closed form of a person's vector, from the data. */
function solveDefaults({ items, meanHistory }: DataFacts): LocalSolve {
  return {
    unobservedWeight: Math.min(1, (UNOBSERVED_FACTOR * meanHistory) / items),
    regularization: Math.min(LARGEST_REGULARIZATION, 1 / Math.max(1, meanHistory)),
  };
}

/**
 * How the neural families train unless told otherwise: one pass over few negatives, for what a client computes is spent again in every
 * round; the server's steps make up for it (bench/results.md).
 */
const TOWER_TRAINING: Omit<TowerTraining, keyof LocalSolve> = {
  personScale: 9,
  epochs: 1,
  batchSize: 64,
  learningRate: 0.05,
  tableLearningRate: 0.3,
  negatives: 2,
  l2: 0.03,
  proximal: 0,
};

/** Vectors of two towers take more negatives to tell apart. */
const NEUMF_NEGATIVES = 4;

/** Beside a product head one narrow layer ranks as well as 32-16, for half the training (bench/results.md). */
const MLP_HIDDEN = [16];
const NEUMF_HIDDEN = [32, 16];

/** Adam steps by about its rate, however long a gradient is. */
const ADAM_RATES = { learningRate: 0.005, tableLearningRate: 0.03 };

/** Epochs that early stopping ends at most after. */
const MOST_EPOCHS = 5;

/** Defaults that follow from what was chosen besides. */
function suitedTo(
  input: Partial<Record<string, unknown>>,
  facts: DataFacts,
): Partial<Record<string, unknown>> {
  const tower = ['gmf', 'mlp', 'neumf'].includes(String(input['family']));
  const rated = input['loss'] === 'mse' && input['family'] !== 'content';
  return {
    ...(tower && input['optimizer'] === 'adam' ? ADAM_RATES : {}),
    ...(tower && typeof input['patience'] === 'number' && input['patience'] > 0
      ? { epochs: MOST_EPOCHS }
      : {}),
    ...(tower && rated ? { personScale: 1 } : {}),
    // Nothing pulls what was not rated.
    ...(rated ? { unobservedWeight: 0, regularization: RATING_REGULARIZATION } : {}),
    ...(rated && facts.meanRating !== undefined ? { ratingMean: facts.meanRating } : {}),
  };
}

/** λ of a person's vector for each of their ratings. */
const RATING_REGULARIZATION = 0.1;

/** How an item's attributes are written down, chosen on cold items of MovieLens 100K (bench/results.md). */
const CONTENT: Omit<ContentConfig, 'family' | 'dimension' | keyof LocalSolve> = {
  buckets: 4_096,
  genreWeight: 1,
  wordWeight: 0.5,
  vectorLength: 0,
  vectorWeight: 1,
};

/**
 * λ of the factorisations: histories of fewer than some 26 items say little of a person, and take more than the rule's largest. Fitted
 * on parts of three data sets with 5, 10, 20 and 37 items a person (bench/results.md).
 */
function factorRegularization({ meanHistory }: DataFacts): number {
  const history = Math.max(1, meanHistory);
  return Math.min(1 / history, Math.max(LARGEST_REGULARIZATION, 0.35 * history ** -0.75));
}

/** Every field of a family with its default. */
function defaultsOf(family: ModelFamily, facts: DataFacts): BuiltInConfig {
  const solve = solveDefaults(facts);
  const factors = { ...solve, regularization: factorRegularization(facts) };
  switch (family) {
    case 'mf':
      return { family, dimension: 64, ...factors };
    case 'content':
      return { family, dimension: 64, ...factors, ...CONTENT };
    case 'gmf':
      return { family, dimension: 32, ...solve, ...TOWER_TRAINING };
    case 'mlp':
      return { family, dimension: 32, hidden: MLP_HIDDEN, ...solve, ...TOWER_TRAINING };
    case 'neumf':
      return {
        family,
        dimension: 32,
        hidden: NEUMF_HIDDEN,
        ...solve,
        ...TOWER_TRAINING,
        negatives: NEUMF_NEGATIVES,
      };
    default:
      return assertNever(family);
  }
}

/**
 * Fills in what `input` leaves out, and checks every field.
 * @throws {UsageError} naming each field that is unknown or out of range.
 */
export function resolveModelConfig(input: ModelInput, facts: DataFacts): ModelConfig {
  if (input.family === 'own') return resolveOwnConfig(input);
  const defaults = defaultsOf(input.family, facts);
  const config = withoutUsual({ ...defaults, ...suitedTo(input, facts), ...input } as BuiltInConfig);
  const record = config as unknown as Record<string, unknown>;
  const wrong = problemsOf(record, config.family);
  // What does not go together is a matter of fields that are there.
  const problems = wrong.length > 0 ? wrong : togetherProblems(record);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return config;
}

/** µ of FedProx where none is given, from the range that Li et al. 2020 tried (.001 to 1). */
const PROXIMAL = 0.1;

/**
 * A model input as FedProx trains it (Li et al. 2020): with a proximal term on the client.
 * @throws {UsageError} for `mf` and `content`: their clients take one step from the round's weights, where that term is zero.
 */
export function withProximalTerm(input: ModelInput): ModelInput {
  if (input.family === 'mf' || input.family === 'content')
    throw new UsageError(
      `strategy: fedprox is fedavg for ${input.family}, whose clients take one step from the round’s weights; ask for fedavg`,
    );
  if (input.family === 'own')
    throw new UsageError(
      'strategy: fedprox is for built-in families; an own model puts the term into its loss',
    );
  return { ...input, proximal: input.proximal ?? PROXIMAL };
}

/** A configuration from outside, with every field there. @throws {DecodeError} naming the first field that is wrong. */
export function decodeModelConfig(value: unknown): ModelConfig {
  if (isOwn(value)) return decodeOwnConfig({ ...value });
  const record = decodeFields(value);
  const [problem] = [...problemsOf(record, record.family), ...togetherProblems(record)];
  if (problem !== undefined) throw new DecodeError('model', problem);
  return record as unknown as ModelConfig;
}

function decodeOwnConfig(record: Record<string, unknown>): ModelConfig {
  const [problem] = ownProblems(record);
  if (problem !== undefined) throw new DecodeError('model', problem);
  return record as unknown as ModelConfig;
}

function problemsOf(config: Readonly<Record<string, unknown>>, family: ModelFamily): string[] {
  return Object.entries(config).flatMap(([name, value]) => {
    const found = choiceProblems(name, value, family) ?? fieldProblems(name, value, family);
    const others = [...familiesWithField(name), ...familiesWithChoice(name)];
    return others.length === 0 || others.includes(family)
      ? found
      : found.map((problem) => `${problem}; ${others.join(', ')} have it`);
  });
}
