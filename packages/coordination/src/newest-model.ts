import {
  createStrategy,
  decodeStrategyState,
  encodeStrategyState,
  type AggregatedUpdate,
  type Strategy,
  type StrategyState,
} from '@tutti/aggregation';
import { decodeCheckpoint, encodeCheckpoint } from '@tutti/model';
import type { TaskHistory } from './history.ts';
import { fetchBlob, type Blobs } from './ports.ts';
import type { TaskConfig } from './task-config.ts';

/** What a round moves on. */
interface Moving {
  readonly shared: Float32Array;
  readonly state: StrategyState;
}

/** What names it. */
interface Hashes {
  readonly modelHash: string;
  readonly strategyHash: string;
}

/** A task's newest model with its strategy's state, as they were last made or read: each round moves them on where they are. */
export class NewestModel {
  readonly #strategy: Strategy;
  #newest: (Moving & Hashes) | undefined;

  constructor(
    private readonly config: Pick<TaskConfig, 'name' | 'model' | 'strategy'>,
    private readonly blobs: Blobs,
  ) {
    this.#strategy = createStrategy(config.strategy);
  }

  /**
   * Makes the model that follows the history's from a sum, and keeps it and the strategy's next state.
   * @throws {MissingBlobError} when the current model or strategy state is gone.
   */
  async commit(history: TaskHistory, update: AggregatedUpdate): Promise<Hashes> {
    const { blobs } = this;
    const { layout } = this.config.model;
    const { shared, state: before } = await this.#take(history);
    const state = this.#strategy.applyInPlace(before, shared, update);
    const metadata = { task: this.config.name, round: String(history.round + 1) };
    const modelHash = await blobs.put(encodeCheckpoint({ layout, shared, metadata }));
    const strategyHash = await blobs.put(encodeStrategyState(state));
    this.#newest = { modelHash, strategyHash, shared, state };
    return { modelHash, strategyHash };
  }

  /** The history's model and state. They are the caller's, who may change them: nothing here keeps them any more. */
  async #take({ modelHash = '', strategyHash }: TaskHistory): Promise<Moving> {
    const newest = this.#newest;
    this.#newest = undefined;
    if (newest?.modelHash === modelHash && newest.strategyHash === strategyHash) return newest;
    const { layout } = this.config.model;
    const { shared } = decodeCheckpoint(await fetchBlob(this.blobs, modelHash), layout);
    const state =
      strategyHash === undefined
        ? this.#strategy.init(layout.length)
        : decodeStrategyState(await fetchBlob(this.blobs, strategyHash));
    return { shared, state };
  }
}
