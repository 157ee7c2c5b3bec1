import { UsageError } from '@tutti/base';
import type { AggregatedUpdate } from './decode.ts';
import { InvalidUpdateError } from './errors.ts';
import {
  rateAfter,
  resolveStrategy,
  type StrategyConfig,
  type StrategyName,
  type StrategySettings,
} from './strategy-config.ts';

/** What a strategy remembers between rounds. A moment that the strategy does not keep is empty. */
export interface StrategyState {
  /** Updates applied, from 0. */
  readonly step: number;
  /** m: FedAvgM, FedAdagrad with β₁ > 0, FedAdam, FedYogi. float32. */
  readonly first: Float32Array;
  /** v: FedAdagrad, FedAdam, FedYogi. float32. */
  readonly second: Float32Array;
}

/** (state, parameters, mean update) → the next state and parameters. Pure: what is passed in is not changed. */
export interface Strategy {
  readonly name: StrategyName;
  /** The configuration with its defaults. */
  readonly config: StrategySettings;
  /** The state before the first update of `length` parameters. */
  init(length: number): StrategyState;
  /**
   * One update, Δ = `update.meanDelta` (trained minus initial, so parameters move along it).
   * @throws {UsageError} if lengths differ, or the state lacks a moment that this strategy keeps.
   * @throws {InvalidUpdateError} if a parameter would no longer be a finite float32.
   */
  apply(
    state: StrategyState,
    parameters: Float32Array,
    update: Pick<AggregatedUpdate, 'meanDelta'>,
  ): { state: StrategyState; parameters: Float32Array };
}

/** Arithmetic of one coordinate; every strategy is one of these in one loop. */
interface Rule {
  readonly keepsFirst: boolean;
  readonly keepsSecond: boolean;
  /** v before the first update. */
  readonly secondStart: number;
  /** (m, d) → m */
  readonly first: (m: number, descent: number) => number;
  /** (v, d²) → v */
  readonly second: (v: number, square: number) => number;
  /** (m, v, step) → change of the parameter, before η */
  readonly directionAt: (step: number) => (m: number, v: number) => number;
}

/**
 * A strategy. With d = Δ − weightDecay·parameter (a descent direction: minus the pseudo-gradient) and η the learning rate (of this
 * update, where it decays: {@link StrategyConfig}):
 *
 * * `fedavg`, `fedprox`: x ← x + η·d (McMahan et al. 2017).
 * * `fedavgm`: m ← β₁·m + d, x ← x + η·m (Hsu, Qi & Brown 2019).
 * * `fedadagrad`, `fedadam`, `fedyogi`: m ← β₁·m + (1−β₁)·d, x ← x + η·m̂/(√v̂ + τ), where v grows by d² (Adagrad), is
 *   β₂·v + (1−β₂)·d² (Adam), or v − (1−β₂)·d²·sign(v − d²) (Yogi): Reddi et al. 2021, Algorithm 2.
 * * FedAdam starts at v = 0 and corrects both moments for that, m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ) (Kingma & Ba 2015); the
 *   paper's own form has no correction. The other two start at v = τ², as the paper has it, and correct nothing.
 *
 * Moments are kept in float32, arithmetic is in float64.
 *
 * @throws {UsageError} with one line for every field that is unknown or out of range.
 */
export function createStrategy(config: StrategyConfig): Strategy {
  const settings = resolveStrategy(config);
  const rule = ruleOf(settings);
  return {
    name: settings.name,
    config: settings,
    init: (length) => ({
      step: 0,
      first: new Float32Array(rule.keepsFirst ? length : 0),
      second: new Float32Array(rule.keepsSecond ? length : 0).fill(rule.secondStart),
    }),
    apply(state, parameters, { meanDelta }) {
      checkLengths(rule, state, parameters, meanDelta);
      return applyRule(rule, settings, state, parameters, meanDelta);
    },
  };
}

function ruleOf(settings: StrategySettings): Rule {
  const { name, beta1, beta2, tau } = settings;
  const moving = (m: number, descent: number): number => beta1 * m + (1 - beta1) * descent;
  const paper = {
    keepsFirst: true,
    keepsSecond: true,
    secondStart: tau * tau,
    first: moving,
    directionAt: () => (m: number, v: number) => m / (Math.sqrt(v) + tau),
  };
  switch (name) {
    case 'fedavg':
    case 'fedprox':
      return { ...unmoved, keepsFirst: false, first: (_m, descent) => descent };
    case 'fedavgm':
      return { ...unmoved, keepsFirst: true, first: (m, descent) => beta1 * m + descent };
    case 'fedadagrad':
      return { ...paper, keepsFirst: beta1 > 0, second: (v, square) => v + square };
    case 'fedyogi':
      return { ...paper, second: (v, square) => v - (1 - beta2) * square * Math.sign(v - square) };
    case 'fedadam':
      return {
        ...paper,
        secondStart: 0,
        second: (v, square) => beta2 * v + (1 - beta2) * square,
        directionAt: (step) => {
          const firstScale = 1 / (1 - beta1 ** step);
          const secondScale = 1 / (1 - beta2 ** step);
          return (m, v) => (m * firstScale) / (Math.sqrt(v * secondScale) + tau);
        },
      };
  }
}

const unmoved = {
  keepsSecond: false,
  secondStart: 0,
  second: () => 0,
  directionAt: () => (m: number) => m,
};

function checkLengths(
  rule: Rule,
  state: StrategyState,
  parameters: Float32Array,
  meanDelta: Float32Array,
): void {
  const { length } = parameters;
  if (meanDelta.length !== length)
    throw new UsageError(`${length} parameters cannot take an update of ${meanDelta.length}`);
  for (const [kept, moment] of [
    [rule.keepsFirst, state.first],
    [rule.keepsSecond, state.second],
  ] as const) {
    if (kept && moment.length !== length)
      throw new UsageError(`a state for ${moment.length} parameters does not fit ${length}: init gives one`);
  }
}

function applyRule(
  rule: Rule,
  settings: StrategySettings,
  state: StrategyState,
  parameters: Float32Array,
  meanDelta: Float32Array,
): { state: StrategyState; parameters: Float32Array } {
  const { weightDecay } = settings;
  const rate = rateAfter(state.step, settings);
  const step = state.step + 1;
  const direction = rule.directionAt(step);
  const first = new Float32Array(rule.keepsFirst ? parameters.length : 0);
  const second = new Float32Array(rule.keepsSecond ? parameters.length : 0);
  const next = new Float32Array(parameters.length);
  let check = 0;
  for (let i = 0; i < next.length; i++) {
    const before = parameters[i] as number;
    const descent = (meanDelta[i] as number) - weightDecay * before;
    const m = rule.first(rule.keepsFirst ? (state.first[i] as number) : 0, descent);
    const v = rule.second(rule.keepsSecond ? (state.second[i] as number) : 0, descent * descent);
    // Writes beyond an empty moment are without effect: the strategy keeps none.
    first[i] = m;
    second[i] = v;
    next[i] = before + rate * direction(m, v);
    check += 0 * (next[i] as number);
  }
  if (check !== 0) throw new InvalidUpdateError('parameters', 'would hold a number that is not finite');
  return { state: { step, first, second }, parameters: next };
}
