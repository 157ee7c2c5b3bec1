import { allFinite, UsageError } from '@tutti/base';
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

/** (state, parameters, mean update) → the next state and parameters. */
export interface Strategy {
  readonly name: StrategyName;
  /** The configuration with its defaults. */
  readonly config: StrategySettings;
  /** The state before the first update of `length` parameters. */
  init(length: number): StrategyState;
  /**
   * One update, Δ = `update.meanDelta` (trained minus initial, so parameters move along it). What is passed in is not changed.
   * @throws {UsageError} if lengths differ, or the state lacks a moment that this strategy keeps.
   * @throws {InvalidUpdateError} if a parameter would no longer be a finite float32.
   */
  apply(
    state: StrategyState,
    parameters: Float32Array,
    update: Pick<AggregatedUpdate, 'meanDelta'>,
  ): { state: StrategyState; parameters: Float32Array };
  /** The same, in the memory of the parameters and of the state's moments, which are of no use after an error. @returns the next state. */
  applyInPlace(
    state: StrategyState,
    parameters: Float32Array,
    update: Pick<AggregatedUpdate, 'meanDelta'>,
  ): StrategyState;
}

/** What tells strategies apart. */
interface Rule {
  readonly keepsFirst: boolean;
  /** m ← β₁·m + share·d; share·d where m is not kept. */
  readonly share: number;
  /** Without it, parameters move by m as it is, and v is not kept. */
  readonly second?: SecondMoment;
  /** v before the first update. */
  readonly secondStart: number;
  /** Whether both moments are corrected for their start at 0. */
  readonly corrected: boolean;
}

type AdaptiveRule = Rule & Required<Pick<Rule, 'second'>>;

/**
 * (v, d², β₂) → v. Takes all that it needs: functions that keep numbers of their own, which V8 boxes, made a step take four times as
 * long.
 */
type SecondMoment = (v: number, square: number, beta2: number) => number;

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
  const applyInPlace: Strategy['applyInPlace'] = (state, parameters, { meanDelta }) => {
    checkLengths(rule, state, parameters, meanDelta);
    if (isAdaptive(rule)) adaptInPlace(rule, settings, state, parameters, meanDelta);
    else moveInPlace(rule, settings, state, parameters, meanDelta);
    if (!allFinite(parameters))
      throw new InvalidUpdateError('parameters', 'would hold a number that is not finite');
    return {
      step: state.step + 1,
      first: rule.keepsFirst ? state.first : new Float32Array(0),
      second: isAdaptive(rule) ? state.second : new Float32Array(0),
    };
  };
  return {
    name: settings.name,
    config: settings,
    init: (length) => ({
      step: 0,
      first: new Float32Array(rule.keepsFirst ? length : 0),
      second: new Float32Array(isAdaptive(rule) ? length : 0).fill(rule.secondStart),
    }),
    apply({ step, first, second }, before, update) {
      const parameters = before.slice();
      const copied = { step, first: first.slice(), second: second.slice() };
      return { state: applyInPlace(copied, parameters, update), parameters };
    },
    applyInPlace,
  };
}

function ruleOf({ name, beta1, tau }: StrategySettings): Rule {
  const plain: Rule = { keepsFirst: false, share: 1, secondStart: 0, corrected: false };
  const paper: Rule = { keepsFirst: true, share: 1 - beta1, secondStart: tau * tau, corrected: false };
  switch (name) {
    case 'fedavg':
    case 'fedprox':
      return plain;
    case 'fedavgm':
      return { ...plain, keepsFirst: true };
    case 'fedadagrad':
      return { ...paper, keepsFirst: beta1 > 0, second: adagrad };
    case 'fedyogi':
      return { ...paper, second: yogi };
    case 'fedadam':
      return { ...paper, second: adam, secondStart: 0, corrected: true };
  }
}

const adagrad: SecondMoment = (v, square) => v + square;
const adam: SecondMoment = (v, square, beta2) => beta2 * v + (1 - beta2) * square;
const yogi: SecondMoment = (v, square, beta2) => v - (1 - beta2) * square * Math.sign(v - square);

const isAdaptive = (rule: Rule): rule is AdaptiveRule => rule.second !== undefined;

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
    [isAdaptive(rule), state.second],
  ] as const) {
    if (kept && moment.length !== length)
      throw new UsageError(`a state for ${moment.length} parameters does not fit ${length}: init gives one`);
  }
}

/** x ← x + η·m: for strategies that keep no v. */
function moveInPlace(
  { keepsFirst, share }: Rule,
  settings: StrategySettings,
  { step, first }: StrategyState,
  parameters: Float32Array,
  meanDelta: Float32Array,
): void {
  const { weightDecay, beta1 } = settings;
  const rate = rateAfter(step, settings);
  for (let i = 0; i < parameters.length; i++) {
    const before = parameters[i] as number;
    const descent = (meanDelta[i] as number) - weightDecay * before;
    let m = share * descent;
    if (keepsFirst) {
      m += beta1 * (first[i] as number);
      first[i] = m;
    }
    parameters[i] = before + rate * m;
  }
}

/** x ← x + η·m̂/(√v̂ + τ). */
function adaptInPlace(
  { keepsFirst, share, corrected, second: grown }: AdaptiveRule,
  settings: StrategySettings,
  { step, first, second }: StrategyState,
  parameters: Float32Array,
  meanDelta: Float32Array,
): void {
  const { weightDecay, beta1, beta2, tau } = settings;
  const rate = rateAfter(step, settings);
  const firstScale = corrected ? 1 / (1 - beta1 ** (step + 1)) : 1;
  const secondScale = corrected ? 1 / (1 - beta2 ** (step + 1)) : 1;
  for (let i = 0; i < parameters.length; i++) {
    const before = parameters[i] as number;
    const descent = (meanDelta[i] as number) - weightDecay * before;
    let m = share * descent;
    if (keepsFirst) {
      m += beta1 * (first[i] as number);
      first[i] = m;
    }
    const v = grown(second[i] as number, descent * descent, beta2);
    second[i] = v;
    parameters[i] = before + rate * ((m * firstScale) / (Math.sqrt(v * secondScale) + tau));
  }
}
