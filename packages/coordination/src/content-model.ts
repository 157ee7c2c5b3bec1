import { seededRandom, UsageError } from '@tutti/base';
import { createStrategy, type AggregatedUpdate, type StrategyConfig } from '@tutti/aggregation';
import {
  addContentInto,
  contentFeatures,
  featureWidth,
  type ContentConfig,
  type ItemContent,
  type ItemFeatures,
  type Model,
} from '@tutti/model';
import type { RoundDescription } from '@tutti/protocol';
import { decodeTaskCatalogue } from './catalogue.ts';
import {
  decodeContentState,
  encodeContentState,
  grownContentState,
  initContentState,
  type ContentState,
} from './content-state.ts';
import { contentStepInPlace, type ContentUpdate } from './content-step.ts';
import type { TaskConfig } from './task-config.ts';

/** What a content model is made of. */
export interface ContentOptions {
  readonly model: Model;
  readonly strategy: StrategyConfig;
  /** What is said of the items, in the order of the table. */
  readonly content: ItemContent;
  /** Seed of the first weights. */
  readonly seed: string;
}

/** Spread of P at the beginning: item vectors then start as far from 0 as those of a matrix factorisation. */
const FIRST_SPREAD = 0.1;

/** The coordinator's side of the content family: what makes item vectors of what is said of the items, and learns to. */
export class ContentModel {
  readonly #config: ContentConfig;
  readonly #features: ItemFeatures;

  /** @throws {UsageError} for another family, and as {@link contentFeatures} does. */
  constructor(private readonly options: ContentOptions) {
    const { model, content } = options;
    if (model.config.family !== 'content')
      throw new UsageError(`a model of the family ${model.config.family}; content is needed`);
    this.#config = model.config;
    this.#features = contentFeatures(model.config, content);
  }

  /** The state before the first round. */
  init(): ContentState {
    const { strategy, model, seed } = this.options;
    const random = seededRandom(seed).fork('content');
    const { dimension } = this.#config;
    const weights = new Float32Array(this.#features.width * dimension);
    for (let i = 0; i < weights.length; i++) weights[i] = FIRST_SPREAD * random.normal();
    return initContentState(createStrategy(strategy), weights, model.items, dimension);
  }

  /** The first weights: every row is what its content says. */
  first(): Float32Array {
    const { model } = this.options;
    const shared = new Float32Array(model.layout.length);
    addContentInto(shared, this.#features, this.init().weights, this.#config.dimension);
    return shared;
  }

  /** One round; `shared` and `state` are changed in place, but for the state that is returned. */
  stepInPlace(state: ContentState, shared: Float32Array, update: ContentUpdate): ContentState {
    const { strategy } = this.options;
    return contentStepInPlace(
      { config: this.#config, features: this.#features, strategy },
      state,
      shared,
      update,
    );
  }

  /** {@link stepInPlace} with the state as it is stored; none before the first round. */
  nextInPlace(stored: Uint8Array | undefined, shared: Float32Array, update: ContentUpdate): Uint8Array {
    const state = stored === undefined ? this.init() : this.#decode(stored, this.options.model.items);
    return encodeContentState(this.stepInPlace(state, shared, update));
  }

  /**
   * A task whose catalogue was changed, from what it was with `before` rows. A row that nobody has touched is what its content says now; the others stay.
   * @param old the weights before, in the layout of `before` rows.
   */
  grown(
    stored: Uint8Array | undefined,
    old: Float32Array,
    before: number,
  ): { shared: Float32Array; state: Uint8Array | undefined } {
    if (stored === undefined) return { shared: this.first(), state: undefined };
    const { model, strategy } = this.options;
    const { dimension: d } = this.#config;
    const state = grownContentState(this.#decode(stored, before), createStrategy(strategy), model.items, d);
    const shared = new Float32Array(model.layout.length);
    addContentInto(shared, this.#features, state.weights, d);
    for (let row = 0; row < before; row++)
      if ((state.steps[row] as number) > 0) shared.set(old.subarray(row * d, (row + 1) * d), row * d);
    return { shared, state: encodeContentState(state) };
  }

  #decode(stored: Uint8Array, items: number): ContentState {
    return decodeContentState(stored, {
      items,
      weights: featureWidth(this.#config) * this.#config.dimension,
    });
  }
}

/** A task's content model; undefined for other families. @throws {UsageError} as {@link ContentModel} does. */
export function contentOf(config: TaskConfig): ContentModel | undefined {
  const { model, strategy, seed, catalogue, vectors } = config;
  if (model.config.family !== 'content') return undefined;
  const { ids, titles, genres } = decodeTaskCatalogue(catalogue);
  return new ContentModel({ model, strategy, seed, content: { ids, titles, genres, vectors } });
}

/** What of a description tells how much noise is on its sum. */
export type SumFacts = Pick<RoundDescription, 'noise' | 'scale' | 'clippingNorm'>;

/** A round's sum as a content model takes it. */
export function contentUpdateOf(
  { noise, scale, clippingNorm }: SumFacts,
  { meanDelta, totalWeight, survivors }: AggregatedUpdate,
  rows: Uint32Array,
): ContentUpdate {
  const ofSum =
    noise.mechanism === 'none'
      ? 0
      : noise.mechanism === 'skellam'
        ? Math.sqrt(survivors * noise.deltaVariance) / scale.delta
        : noise.multiplier * clippingNorm;
  return { meanDelta, rows, noiseStddev: ofSum / Math.max(1, totalWeight) };
}
