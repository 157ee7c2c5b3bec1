import { UsageError } from '@tutti/base';

/** Strategies by name. FedProx is FedAvg here: its proximal term is in the client's loss. */
export const STRATEGY_NAMES = ['fedavg', 'fedavgm', 'fedadagrad', 'fedadam', 'fedyogi', 'fedprox'] as const;

/** One of {@link STRATEGY_NAMES}. */
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** How a mean update becomes the next model. What is left out has the default of {@link STRATEGY_DEFAULTS}. */
export interface StrategyConfig {
  readonly name: StrategyName;
  /** η, the server's learning rate: above 0, at most 1000. 1 with FedAvg is the plain average. */
  readonly learningRate?: number;
  /** β₁, decay of the first moment: from 0, below 1. FedAvg has none and takes it for 0. */
  readonly beta1?: number;
  /** β₂, decay of the second moment: from 0, below 1. FedAdam and FedYogi only. */
  readonly beta2?: number;
  /** τ, adaptivity: above 0, at most 1; added to the root of the second moment. Adaptive strategies only. */
  readonly tau?: number;
  /**
   * Updates after which η has halved: the t-th is made with η/(1 + (t−1)/decayRounds), and none with less than η/10, so that a model
   * goes on to follow its data. From 0 to 1,000,000; 0, the default, keeps η.
   */
  readonly decayRounds?: number;
  /** Added to the pseudo-gradient for each unit of a parameter: from 0 to 1000. Not decoupled. */
  readonly weightDecay?: number;
}

/** A configuration with nothing left out. */
export type StrategySettings = Required<StrategyConfig>;

const PLAIN = { learningRate: 1, beta1: 0, beta2: 0, tau: 1e-3, decayRounds: 0, weightDecay: 0 };

/** Defaults by strategy: η = 1 averages; the adaptive ones step by about η in each coordinate. */
export const STRATEGY_DEFAULTS: Readonly<Record<StrategyName, StrategySettings>> = {
  fedavg: { name: 'fedavg', ...PLAIN },
  fedprox: { name: 'fedprox', ...PLAIN },
  fedavgm: { name: 'fedavgm', ...PLAIN, beta1: 0.9 },
  fedadagrad: { name: 'fedadagrad', ...PLAIN, learningRate: 0.03 },
  fedadam: { name: 'fedadam', ...PLAIN, learningRate: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-8 },
  fedyogi: { name: 'fedyogi', ...PLAIN, learningRate: 0.01, beta1: 0.9, beta2: 0.99 },
};

const RANGES: readonly {
  readonly name: Exclude<keyof StrategyConfig, 'name'>;
  readonly fits: (value: number) => boolean;
  readonly range: string;
}[] = [
  { name: 'learningRate', fits: (value) => value > 0 && value <= 1e3, range: 'above 0, at most 1000' },
  { name: 'beta1', fits: (value) => value >= 0 && value < 1, range: 'from 0, below 1' },
  { name: 'beta2', fits: (value) => value >= 0 && value < 1, range: 'from 0, below 1' },
  { name: 'tau', fits: (value) => value > 0 && value <= 1, range: 'above 0, at most 1' },
  { name: 'decayRounds', fits: (value) => value >= 0 && value <= 1e6, range: 'from 0 to 1000000' },
  { name: 'weightDecay', fits: (value) => value >= 0 && value <= 1e3, range: 'from 0 to 1000' },
];

/** Share of η that no update is made with less than. */
const LEAST_SHARE = 0.1;

/** η of the update that follows `step` others. */
export function rateAfter(
  step: number,
  { learningRate, decayRounds }: Pick<StrategySettings, 'learningRate' | 'decayRounds'>,
): number {
  if (decayRounds === 0) return learningRate;
  return learningRate * Math.max(LEAST_SHARE, 1 / (1 + step / decayRounds));
}

/**
 * The configuration with its defaults filled in; a field that is `undefined` counts as left out.
 * @throws {UsageError} with one line for every field that is unknown or out of range.
 */
export function resolveStrategy(config: StrategyConfig): StrategySettings {
  const { name } = config;
  if (!STRATEGY_NAMES.includes(name))
    throw new UsageError(`strategy.name: ${String(name)} is none of ${STRATEGY_NAMES.join(', ')}`);
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  const settings: StrategySettings = { ...STRATEGY_DEFAULTS[name], ...given };
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(PLAIN, key) && key !== 'name');
  const wrong = RANGES.filter((field) => {
    const value: unknown = settings[field.name];
    return !(typeof value === 'number' && field.fits(value));
  });
  const problems = [
    ...unknown.map((key) => `strategy.${key}: is no field of a strategy`),
    ...wrong.map((field) => `strategy.${field.name}: ${String(settings[field.name])} is not ${field.range}`),
  ];
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return settings;
}
