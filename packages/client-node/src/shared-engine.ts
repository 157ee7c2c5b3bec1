import {
  createEngine,
  type BackendName,
  type LoadedModel,
  type Model,
  type TrainingEngine,
} from '@tutti/model';
import { openNodeTensorflow } from '@tutti/model/node';

/** One TensorFlow.js for every client of this process, and the checkpoints that are loaded into it. */
export interface SharedEngine {
  readonly backend: BackendName;
  readonly notes: readonly string[];
  /** The checkpoint, loaded once for all clients; `fetchShared` is asked only where it is not. */
  open(
    model: Model,
    layoutHash: string,
    modelHash: string,
    fetchShared: () => Promise<Float32Array>,
  ): Promise<LoadedModel>;
  close(): void;
}

/** Checkpoints kept loaded: the round's, and those that slower clients may still train on. */
const KEPT = 3;

/** Opens TensorFlow.js for this process. `auto` takes tensorflow → wasm → cpu. */
export async function createSharedEngine(
  options: { backend?: BackendName | 'auto' } = {},
): Promise<SharedEngine> {
  const { tf, backend, notes } = await openNodeTensorflow(options);
  const engines = new Map<string, Promise<TrainingEngine>>();
  const loaded = new Map<string, Promise<LoadedModel>>();
  const turn = inTurns();

  async function load(
    model: Model,
    layoutHash: string,
    fetchShared: () => Promise<Float32Array>,
  ): Promise<LoadedModel> {
    const known = engines.get(layoutHash) ?? createEngine({ model, tf, backend });
    engines.set(layoutHash, known);
    const [engine, shared] = [await known, await fetchShared()];
    return oneAtATime(await turn(() => engine.load(shared)), turn);
  }

  return {
    backend,
    notes,
    open(model, layoutHash, modelHash, fetchShared) {
      const found = loaded.get(modelHash);
      if (found !== undefined) return found;
      const made = load(model, layoutHash, fetchShared);
      loaded.set(modelHash, made);
      made.catch(() => loaded.delete(modelHash));
      for (const [hash, old] of [...loaded].slice(0, -KEPT)) {
        loaded.delete(hash);
        void old.then((model) => model.dispose()).catch(() => undefined);
      }
      return made;
    },
    close() {
      for (const model of loaded.values()) void model.then((one) => one.dispose()).catch(() => undefined);
      loaded.clear();
    },
  };
}

type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs one piece of work after another. */
function inTurns(): Turn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work, work);
    last = done.catch(() => undefined);
    return done;
  };
}

/** Many clients share a processor: one trains at a time, so that each is done soon and memory stays small. */
function oneAtATime(model: LoadedModel, turn: Turn): LoadedModel {
  return {
    train: (...args) => turn(() => model.train(...args)),
    personalize: (...args) => turn(() => model.personalize(...args)),
    score: (...args) => turn(() => model.score(...args)),
    dispose: () => void turn(async () => model.dispose()),
  };
}
