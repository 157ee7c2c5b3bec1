import { UsageError } from '@tutti/base';
import type { AggregatedUpdate } from './lanes.ts';

/** Strategies of Reddi et al. (2021), and momentum. FedProx is FedAvg here: its proximal term is on the client. */
export const STRATEGY_NAMES = ['fedavg', 'fedavgm', 'fedadagrad', 'fedadam', 'fedyogi', 'fedprox'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** How a mean update becomes the next model. What is left out has the default of {@link STRATEGY_DEFAULTS}. */
export interface StrategyConfig {
  readonly name: StrategyName;
  /** Server learning rate η > 0. */
  readonly learningRate?: number;
  /** Momentum β₁ in [0, 1). */
  readonly beta1?: number;
  /** Decay β₂ of the second moment, in [0, 1). */
  readonly beta2?: number;
  /** τ > 0: adaptivity; added to the root of the second moment. */
  readonly tau?: number;
  /** Added to the pseudo-gradient for each unit of a parameter; ≥ 0. */
  readonly weightDecay?: number;
}

type Settings = Required<StrategyConfig>;

/** Defaults by strategy: η = 1 averages; the adaptive ones step by η in each coordinate. */
export const STRATEGY_DEFAULTS: Readonly<Record<StrategyName, Settings>> = {
  fedavg: { name: 'fedavg', learningRate: 1, beta1: 0, beta2: 0, tau: 1e-3, weightDecay: 0 },
  fedprox: { name: 'fedprox', learningRate: 1, beta1: 0, beta2: 0, tau: 1e-3, weightDecay: 0 },
  fedavgm: { name: 'fedavgm', learningRate: 1, beta1: 0.9, beta2: 0, tau: 1e-3, weightDecay: 0 },
  fedadagrad: { name: 'fedadagrad', learningRate: 0.03, beta1: 0, beta2: 0, tau: 1e-3, weightDecay: 0 },
  fedadam: { name: 'fedadam', learningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-8, weightDecay: 0 },
  fedyogi: { name: 'fedyogi', learningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3, weightDecay: 0 },
};

/** What a strategy remembers between rounds. */
export interface StrategyState {
  /** Updates applied. */
  readonly step: number;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** (state, parameters, mean update) → the next state and parameters. Pure: what is passed in is not changed. */
export interface Strategy {
  readonly name: StrategyName;
  readonly config: Settings;
  init(length: number): StrategyState;
  apply(
    state: StrategyState,
    parameters: Float32Array,
    update: AggregatedUpdate,
  ): { state: StrategyState; parameters: Float32Array };
}

/** @throws {UsageError} naming every field that is unknown or out of range. */
export function createStrategy(config: StrategyConfig): Strategy {
  const settings = resolve(config);
  return {
    name: settings.name,
    config: settings,
    init: (length) => ({ step: 0, first: new Float32Array(length), second: new Float32Array(length) }),
    apply(state, parameters, update) {
      if (update.meanDelta.length !== parameters.length || state.first.length !== parameters.length) {
        throw new UsageError(
          `${parameters.length} parameters cannot take an update of ${update.meanDelta.length}`,
        );
      }
      return step(settings, state, parameters, update.meanDelta);
    },
  };
}

function resolve(config: StrategyConfig): Settings {
  if (!STRATEGY_NAMES.includes(config.name))
    throw new UsageError(`strategy.name: ${String(config.name)} is none of ${STRATEGY_NAMES.join(', ')}`);
  const settings = { ...STRATEGY_DEFAULTS[config.name], ...config };
  const unknown = Object.keys(config).filter((key) => !(key in STRATEGY_DEFAULTS.fedavg));
  const problems = [
    ...unknown.map((key) => `strategy.${key}: is no field of a strategy`),
    ...check('learningRate', settings.learningRate, (x) => x > 0 && x <= 1e3, 'above 0, at most 1000'),
    ...check('beta1', settings.beta1, (x) => x >= 0 && x < 1, 'from 0, below 1'),
    ...check('beta2', settings.beta2, (x) => x >= 0 && x < 1, 'from 0, below 1'),
    ...check('tau', settings.tau, (x) => x > 0 && x <= 1, 'above 0, at most 1'),
    ...check('weightDecay', settings.weightDecay, (x) => x >= 0 && x <= 1e3, 'from 0 to 1000'),
  ];
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return settings;
}

const check = (name: string, value: number, fits: (value: number) => boolean, range: string): string[] =>
  typeof value === 'number' && fits(value) ? [] : [`strategy.${name}: ${String(value)} is not ${range}`];

/** Reddi et al. 2021, Algorithm 2; FedAdam with the bias correction of Kingma & Ba. One pass over all coordinates. */
function step(
  settings: Settings,
  state: StrategyState,
  parameters: Float32Array,
  meanDelta: Float32Array,
): { state: StrategyState; parameters: Float32Array } {
  const { name, learningRate, beta1, beta2, tau, weightDecay } = settings;
  const count = state.step + 1;
  const first = Float32Array.from(state.first);
  const second = Float32Array.from(state.second);
  const next = Float32Array.from(parameters);
  const firstScale = name === 'fedadam' ? 1 / (1 - beta1 ** count) : 1;
  const secondScale = name === 'fedadam' ? 1 / (1 - beta2 ** count) : 1;
  const adaptive = name === 'fedadam' || name === 'fedyogi' || name === 'fedadagrad';
  for (let i = 0; i < next.length; i++) {
    const descent = (meanDelta[i] as number) - weightDecay * (parameters[i] as number);
    const m =
      name === 'fedavgm'
        ? beta1 * (first[i] as number) + descent
        : beta1 * (first[i] as number) + (1 - beta1) * descent;
    first[i] = m;
    if (!adaptive) {
      next[i] = (parameters[i] as number) + learningRate * (name === 'fedavgm' ? m : descent);
      continue;
    }
    const v = secondMoment(name, second[i] as number, descent * descent, beta2);
    second[i] = v;
    next[i] =
      (parameters[i] as number) + (learningRate * m * firstScale) / (Math.sqrt(v * secondScale) + tau);
  }
  return { state: { step: count, first, second }, parameters: next };
}

function secondMoment(name: StrategyName, before: number, square: number, beta2: number): number {
  if (name === 'fedadagrad') return before + square;
  if (name === 'fedadam') return beta2 * before + (1 - beta2) * square;
  return before - (1 - beta2) * square * Math.sign(before - square);
}
