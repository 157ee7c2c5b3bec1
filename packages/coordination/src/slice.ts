import {
  applyToSliceInPlace,
  createStrategy,
  decodeSliceState,
  decodeStrategyState,
  encodeSliceState,
  encodeStrategyState,
  initSliceState,
  mostPopular,
  observeSlice,
  type AggregatedUpdate,
  type SliceState,
} from '@tutti/aggregation';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  encodeSlice,
  modelOfRows,
  sliceCoordinates,
  takeRows,
  wholeTableOf,
  type Model,
} from '@tutti/model';
import { sliceRows, sliceRowsHash, sliceTurn, type RoundDescription, type SliceShape } from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { contentUpdateOf, type ContentModel, type SumFacts } from './content-model.ts';
import type { TaskHistory } from './history.ts';
import { fetchBlob, type Blobs } from './ports.ts';
import type { SliceSize, TaskConfig } from './task-config.ts';

/** The coordinator's side of public slices: what travels in a round of a large catalogue, and what becomes of its sum. */

/** Largest catalogue that travels whole (secure-aggregation.md §5). */
export const LARGEST_WHOLE_TABLE = 16_384;

/** Slices of larger ones: 100,000 rows of 32 numbers become 1.05 MB, and every row has its turn in 24 rounds. */
const DEFAULT_SLICE: SliceSize = { rows: 8_192, head: 4_096 };

/** What is asked for → what a catalogue of `items` travels in; nothing where it travels whole. */
export function chooseSlice(
  items: number,
  asked: 'auto' | 'off' | { readonly rows: number; readonly head?: number | undefined },
): SliceSize | undefined {
  if (asked === 'auto') return items > LARGEST_WHOLE_TABLE ? DEFAULT_SLICE : undefined;
  if (asked === 'off' || asked.rows >= items) return undefined;
  return { rows: asked.rows, head: asked.head ?? Math.floor(asked.rows / 2) };
}

/** The model that a training attempt sums: over the slice's rows, or the whole one. */
export function trainedModel({ model, slice }: Pick<TaskConfig, 'model' | 'slice'>): Model {
  return slice === undefined ? model : modelOfRows(model, slice.rows);
}

/** A slice that clients can fetch, and the rows that its sum will be of. */
export interface PublishedSlice {
  readonly description: NonNullable<RoundDescription['slice']>;
  readonly rows: Uint32Array;
}

/** What of the descriptions of a task never changes, and decides the rows of its slices. */
interface TaskHashes {
  readonly layoutHash: string;
  readonly catalogueHash: string;
}

/** The slices of one task: each is made once a model, published as a blob, and forgotten when two newer ones are there. */
export class SliceShelf {
  readonly #shape: SliceShape;
  #published: { readonly modelHash: string; readonly slice: PublishedSlice }[] = [];
  /** The newest model as it was last made or read: it is large, and needed once to publish and once to commit. */
  #newest: { readonly modelHash: string; readonly shared: Float32Array } | undefined;

  constructor(
    private readonly config: TaskConfig,
    size: SliceSize,
    private readonly hashes: TaskHashes,
    private readonly ports: { readonly blobs: Blobs; readonly crypto: CryptoSuite },
    private readonly content?: ContentModel,
  ) {
    this.#shape = { items: config.model.items, ...size };
  }

  /** The slice of the round that follows `history`. @throws {MissingBlobError} when the model is gone. */
  async publish(history: TaskHistory): Promise<PublishedSlice> {
    const { modelHash = '' } = history;
    const known = this.#published.find((one) => one.modelHash === modelHash);
    if (known !== undefined) return known.slice;
    const { model, name: task } = this.config;
    const { blobs, crypto } = this.ports;
    const shared = await this.#take(modelHash);
    this.#newest = { modelHash, shared };
    const round = history.round + 1;
    const head = headOf(await this.#state(history), sliceTurn(this.#shape, round).head);
    const rows = sliceRows(this.#shape, { task, round, ...this.hashes }, head, crypto);
    const bytes = encodeSlice(
      model,
      { head, shared: takeRows(model, shared, rows), whole: wholeTableOf(model, shared) },
      rows.length,
      { task, round: String(round) },
    );
    const slice: PublishedSlice = {
      rows,
      description: {
        rows: rows.length,
        head: this.#shape.head,
        rowsHash: sliceRowsHash(rows, crypto),
        blobHash: await blobs.put(bytes),
        bytes: bytes.length,
      },
    };
    await this.#keep(modelHash, slice);
    return slice;
  }

  /**
   * Makes the model that follows the history's from the sum of a slice: its rows, and all that is not a row, move; every other
   * row stays as it is, with its moments (of a content model, every row moves with what all have in common). Keeps model, strategy state and popularity.
   */
  async commit(
    history: TaskHistory,
    update: AggregatedUpdate,
    { rows }: PublishedSlice,
    description: SumFacts,
  ): Promise<{ modelHash: string; strategyHash: string; sliceHash: string }> {
    const { model, name } = this.config;
    const { blobs } = this.ports;
    const round = history.round + 1;
    const shared = await this.#take(history.modelHash ?? '');
    const slices = await this.#state(history);
    const lanes = trainedModel(this.config).layout.length;
    const meanDelta = update.meanDelta.subarray(0, lanes);
    const stored =
      history.strategyHash === undefined ? undefined : await fetchBlob(blobs, history.strategyHash);
    const strategyState =
      this.content?.nextInPlace(
        stored,
        shared,
        contentUpdateOf(description, { ...update, meanDelta }, rows),
      ) ?? this.#stepInPlace(stored, shared, meanDelta, { rows, slices });
    // In units of C, which may adapt from round to round.
    const popularity = update.meanDelta.subarray(lanes).map((value) => value / description.clippingNorm);
    const observed = observeSlice(slices, rows, popularity);
    const metadata = { task: name, round: String(round) };
    const modelHash = await blobs.put(encodeCheckpoint({ layout: model.layout, shared, metadata }));
    this.#newest = { modelHash, shared };
    return {
      modelHash,
      strategyHash: await blobs.put(strategyState),
      sliceHash: await blobs.put(encodeSliceState(this.#turned(observed, round + 1))),
    };
  }

  /** Moves the rows of a slice by the task's strategy. */
  #stepInPlace(
    stored: Uint8Array | undefined,
    shared: Float32Array,
    meanDelta: Float32Array,
    { rows, slices }: { readonly rows: Uint32Array; readonly slices: SliceState },
  ): Uint8Array {
    const { model, strategy: settings } = this.config;
    const strategy = createStrategy(settings);
    const before = stored === undefined ? strategy.init(model.layout.length) : decodeStrategyState(stored);
    const { places, positions } = sliceCoordinates(model, rows);
    const state = applyToSliceInPlace(strategy, before, shared, {
      coordinates: places,
      steps: Uint32Array.from(positions, (at) => (at < 0 ? before.step : stepsOf(slices, rows, at))),
      meanDelta,
    });
    return encodeStrategyState(state);
  }

  /** The weights of a model. They are the caller's, who may change them: nothing here keeps them any more. */
  async #take(modelHash: string): Promise<Float32Array> {
    const newest = this.#newest;
    this.#newest = undefined;
    if (newest?.modelHash === modelHash) return newest.shared;
    const { layout } = this.config.model;
    return decodeCheckpoint(await fetchBlob(this.ports.blobs, modelHash), layout).shared;
  }

  /** A new cycle has a new head. */
  #turned(state: SliceState, round: number): SliceState {
    const { page, head } = sliceTurn(this.#shape, round);
    return page === 0 ? { ...state, head: mostPopular(state.popularity, head) } : state;
  }

  /** A task that begins to slice late has moments already: its rows were all part of every update. */
  async #state({ sliceHash, round }: TaskHistory): Promise<SliceState> {
    const { items } = this.#shape;
    if (sliceHash === undefined) return initSliceState(items, round);
    return decodeSliceState(await fetchBlob(this.ports.blobs, sliceHash), items);
  }

  /** Late clients may still fetch the last slice but one. */
  async #keep(modelHash: string, slice: PublishedSlice): Promise<void> {
    this.#published.push({ modelHash, slice });
    const kept = this.#published.slice(-2);
    const hashes = new Set(kept.map((one) => one.slice.description.blobHash));
    const gone = this.#published
      .map((one) => one.slice.description.blobHash)
      .filter((hash) => !hashes.has(hash));
    this.#published = kept;
    for (const hash of gone) await this.ports.blobs.delete(hash);
  }
}

const stepsOf = ({ steps }: SliceState, rows: Uint32Array, position: number): number =>
  steps[rows[position] as number] as number;

/** The head that was chosen when the cycle began; chosen now where the size of slices was changed since. */
function headOf({ head, popularity }: SliceState, count: number): Uint32Array {
  return head.length === count ? head : mostPopular(popularity, count);
}
