import { STRATEGY_DEFAULTS } from '@tutti/aggregation';
import { UsageError } from '@tutti/base';
import type { ModelFamily } from '@tutti/model';
import { countsEpsilon } from './privacy-options.ts';
import { DEFAULT_ROUNDS, type SimulationOptions } from './options.ts';
import { trainAndMeasure, type Measurement } from './simulate.ts';

/** Settings of one federation: fields of the model, and the server's step. */
export type Settings = Readonly<Record<string, number>>;

/** A federation that was tried: its settings, and how it ranks validation items, as a secure sum over everybody tells it. */
export interface Tried {
  readonly settings: Settings;
  readonly validation: { readonly hr10: number; readonly ndcg10: number; readonly people: number };
  readonly rounds: number;
}

/** What a sweep found. */
export interface Tuning {
  /** In the order in which they were tried; the first are the defaults. */
  readonly tried: readonly Tried[];
  readonly chosen: Settings;
}

/** Name of the server's step among {@link Settings}; every other name is a field of the model. */
const SERVER_STEP = 'serverLearningRate';

/** A setting, and what its default is multiplied by. */
type Axis = readonly [name: string, factors: readonly number[]];

const FACTORIZATION: readonly Axis[] = [
  ['unobservedWeight', [0.5, 2]],
  ['regularization', [1 / 3, 3]],
  [SERVER_STEP, [0.5, 2]],
];
const TOWER: readonly Axis[] = [
  ['unobservedWeight', [0.5, 2]],
  ['tableLearningRate', [0.5, 2]],
  ['l2', [1 / 3, 3]],
  [SERVER_STEP, [0.5, 2]],
];
/** What is swept: the settings that a family's ranking depends on most, the most telling first. */
const AXES: Readonly<Record<ModelFamily | 'own', readonly Axis[]>> = {
  mf: FACTORIZATION,
  content: FACTORIZATION,
  gmf: TOWER,
  mlp: TOWER,
  neumf: TOWER,
  own: [
    ['learningRate', [1 / 3, 3]],
    [SERVER_STEP, [0.5, 2]],
  ],
};

/** A short federation prefers long steps of the server: they are swept only where a candidate has this share of its rounds. */
const STEP_SHARE = 0.5;

/** Least rounds of a candidate, and their share of those of the federation that they choose for. */
const LEAST_ROUNDS = 10;
const ROUNDS_SHARE = 0.2;

/** Options of {@link tune}. */
export interface TuneOptions {
  /** Rounds of each candidate; default a fifth of the federation's, at least 10. */
  readonly rounds?: number;
  /** Called after each candidate. */
  readonly onTried?: (tried: Tried) => void;
}

/**
 * Sweeps around the settings of a federation, one after another, and keeps what ranks validation items best (NDCG@10; of equals the
 * default). Each candidate is a short federation of its own, whose devices measure their own validation item, trained without it; the
 * figure is a secure sum over everybody. Test items are never looked at.
 *
 * @returns what was tried and chosen; the same for equal options. {@link tunedOptions} gives the federation to run then.
 * @throws {UsageError} where there are no validation items, or where ε is counted: what a sweep costs would not be.
 */
export async function tune(
  options: SimulationOptions,
  { rounds, onTried }: TuneOptions = {},
): Promise<Tuning> {
  if (options.dataset.validation === undefined)
    throw new UsageError('tune: it chooses on validation items, and this data set has none');
  if (countsEpsilon(options.privacy ?? {}))
    throw new UsageError(
      'tune: a sweep costs ε that nobody counts; tune on public or synthetic data and pass on what it chose',
    );
  const whole = options.rounds ?? DEFAULT_ROUNDS;
  const short = rounds ?? Math.min(whole, Math.max(LEAST_ROUNDS, Math.round(ROUNDS_SHARE * whole)));
  const axes = axesOf(options).filter(([name]) => name !== SERVER_STEP || short >= STEP_SHARE * whole);
  const { onRound: _onRound, onCheckpoint: _onCheckpoint, ...rest } = options;
  const tried: Tried[] = [];
  const attempt = async (settings: Settings): Promise<Measurement> => {
    const measured = await trainAndMeasure({
      ...tunedOptions(rest, settings),
      fit: 'train-only',
      rounds: short,
    });
    const { hr10, ndcg10, evaluated } = measured.metrics;
    const one = { hr10: hr10 ?? 0, ndcg10: ndcg10 ?? 0, people: Math.round(evaluated) };
    const names = axes.map(([name]) => name);
    tried.push({ settings: pick(settingsOf(measured), names), validation: one, rounds: short });
    onTried?.(tried.at(-1) as Tried);
    return measured;
  };
  const first = settingsOf(await attempt({}));
  let chosen = tried[0] as Tried;
  for (const [name, factors] of axes) {
    const { settings: base } = chosen;
    for (const factor of factors) {
      await attempt({ ...base, [name]: factor * (first[name] ?? 0) });
      const last = tried.at(-1) as Tried;
      if (last.validation.ndcg10 > chosen.validation.ndcg10) chosen = last;
    }
  }
  return { tried, chosen: chosen.settings };
}

/** The federation that `options` ask for, with these settings. */
export function tunedOptions(options: SimulationOptions, settings: Settings): SimulationOptions {
  const { [SERVER_STEP]: learningRate, ...fields } = settings;
  const step = learningRate === undefined ? {} : { learningRate };
  const { model } = options;
  if ('config' in model)
    return { ...options, ...step, model: { ...model, config: { ...model.config, ...fields } } };
  return { ...options, ...step, model: { ...model, ...fields } };
}

function axesOf({ model: asked }: SimulationOptions): readonly Axis[] {
  const { family } = 'config' in asked ? asked.config : asked;
  return AXES[family];
}

/** Every number that a federation was made with. */
function settingsOf({ model, strategy }: Measurement): Settings {
  const step = strategy.learningRate ?? STRATEGY_DEFAULTS[strategy.name].learningRate;
  const numbers = Object.entries(model).filter(([, value]) => typeof value === 'number');
  return { ...(Object.fromEntries(numbers) as Record<string, number>), [SERVER_STEP]: step };
}

function pick(settings: Settings, names: readonly string[]): Settings {
  return Object.fromEntries(names.map((name) => [name, settings[name] as number]));
}
