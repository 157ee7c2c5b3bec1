import { numberFrom, oneOf, wholeFrom, type Rule } from '@tutti/base';
import { ruleProblems } from './rule-problems.ts';
import {
  ACTIVATIONS,
  MF_LOSSES,
  MODEL_FAMILIES,
  TOWER_LOSSES,
  TOWER_OPTIMIZERS,
  type BuiltInConfig,
  type ModelConfig,
  type ModelFamily,
  type ModelInput,
} from './types.ts';

/** What a choice is when it is left out, and what it may be. */
interface Choice {
  readonly usual: unknown;
  readonly families: readonly ModelFamily[];
  readonly rule: Rule;
}

const firstOf = (names: readonly string[], families: readonly ModelFamily[]): Choice => ({
  usual: names[0],
  families,
  rule: oneOf(names),
});

const TOWERS = ['gmf', 'mlp', 'neumf'] as const;
const DEEP = ['mlp', 'neumf'] as const;

const LOSSES = { mf: firstOf(MF_LOSSES, ['mf']), tower: firstOf(TOWER_LOSSES, TOWERS) };

const CHOICES: Readonly<Record<string, Choice>> = {
  optimizer: firstOf(TOWER_OPTIMIZERS, TOWERS),
  activation: firstOf(ACTIVATIONS, DEEP),
  dropout: { usual: 0, families: DEEP, rule: numberFrom(0, 0.9) },
  patience: { usual: 0, families: TOWERS, rule: wholeFrom(0, 100) },
  ratingMean: { usual: undefined, families: ['mf', ...TOWERS], rule: numberFrom(-1_000, 1_000) },
};

/** The choice that a field makes in a family; nothing where the family has none of that name. */
function choiceOf(name: string, family: ModelFamily): Choice | undefined {
  if (name === 'loss' && family === 'mf') return LOSSES.mf;
  if (name === 'loss') return LOSSES.tower.families.includes(family) ? LOSSES.tower : undefined;
  const choice = Object.hasOwn(CHOICES, name) ? CHOICES[name] : undefined;
  return choice?.families.includes(family) === true ? choice : undefined;
}

/** The families that have a choice of this name. */
export const familiesWithChoice = (name: string): readonly ModelFamily[] =>
  MODEL_FAMILIES.filter((family) => choiceOf(name, family) !== undefined);

/**
 * What is wrong with a field that is a choice; undefined where it is none of the family's choices.
 * @returns one line for each problem.
 */
export function choiceProblems(name: string, value: unknown, family: ModelFamily): string[] | undefined {
  const choice = choiceOf(name, family);
  return choice && ruleProblems(`model.${name}`, value, choice.rule);
}

/** What does not go together. */
export function togetherProblems(config: Readonly<Record<string, unknown>>): string[] {
  const rated = config['loss'] === 'mse';
  const mean = config['ratingMean'] !== undefined;
  return [
    ...(rated && !mean ? ['model.ratingMean: is needed with loss mse: the mean of the ratings'] : []),
    ...(mean && !rated ? ['model.ratingMean: is for loss mse'] : []),
    ...(config['patience'] !== undefined && config['epochs'] === 1
      ? ['model.patience: ends training after an epoch; with epochs 1 there is nothing to end']
      : []),
  ];
}

/** The configuration without choices that say what is so anyway: equal models have equal fingerprints. */
export function withoutUsual(config: BuiltInConfig): BuiltInConfig {
  return Object.fromEntries(
    Object.entries(config).filter(([name, value]) => {
      const choice = choiceOf(name, config.family);
      return choice === undefined || (value !== undefined && value !== choice.usual);
    }),
  ) as unknown as BuiltInConfig;
}

/** Whether a model predicts ratings. */
export const predictsRatings = (config: ModelConfig | ModelInput): boolean =>
  'loss' in config && config.loss === 'mse';
