import { keepLocal, seededRandom, wipe } from '@tutti/base';
import {
  keptUpdate,
  type LoadedModel,
  type LocalUpdate,
  type Model,
  type TrainingEngine,
  type WholeTable,
} from '@tutti/model';

/** An engine, and what people should know of it. */
export interface OpenedEngine {
  readonly engine: TrainingEngine;
  readonly notes: readonly string[];
}

/** One engine for every client of this process, and the checkpoints that are loaded into it. */
export interface SharedEngine {
  /** What trains: `simd`, `ts` or a backend of TensorFlow.js; `none` before a model was prepared. */
  readonly backend: string;
  readonly notes: readonly string[];
  /** Opens what the model trains on. */
  prepare(model: Model, layoutHash: string): Promise<void>;
  /** A checkpoint or a part of one, loaded once for all clients. */
  open(wanted: WantedModel): Promise<LoadedModel>;
  /**
   * How long this machine trains for a person with many interactions, in milliseconds: measured once a layout on the model that was
   * loaded last, with made-up interactions. 0 before one was loaded.
   */
  usualMs(layoutHash: string): Promise<number>;
  close(): void;
}

/** What is to be loaded. */
export interface WantedModel {
  readonly model: Model;
  readonly layoutHash: string;
  /** What its weights are: equal names stand for equal weights. */
  readonly name: string;
  /** Asked only where nothing of this name is loaded. */
  readonly weights: () => Promise<{ readonly shared: Float32Array; readonly whole?: WholeTable }>;
}

/** Checkpoints and slices kept loaded: the round's, and those that slower clients may still train on. */
const KEPT = 3;

/** An engine that several clients share. @param openEngine what trains a model here. */
export function shareEngine(openEngine: (model: Model) => Promise<OpenedEngine>): SharedEngine {
  const engines = new Map<string, Promise<OpenedEngine>>();
  let latest: OpenedEngine | undefined;
  const loaded = new Map<string, Promise<LoadedModel>>();
  const turn = inTurns();
  const newest = new Map<string, { readonly model: Model; readonly loaded: LoadedModel }>();
  const usual = new Map<string, Promise<number>>();

  async function load({ model, layoutHash, weights }: WantedModel): Promise<LoadedModel> {
    const [{ engine }, { shared, whole }] = [await engineFor(model, layoutHash), await weights()];
    const made = oneAtATime(await turn(() => engine.load(shared, whole)), turn);
    newest.set(layoutHash, { model, loaded: made });
    return made;
  }

  async function engineFor(model: Model, layoutHash: string): Promise<OpenedEngine> {
    const key = `${layoutHash}/${model.items}`;
    const known = engines.get(key) ?? openEngine(model);
    engines.delete(key);
    engines.set(key, known);
    known.catch(() => engines.delete(key));
    for (const old of [...engines.keys()].slice(0, -KEPT)) engines.delete(old);
    return (latest = await known);
  }

  return {
    get backend() {
      return latest?.engine.backend ?? 'none';
    },
    get notes() {
      return latest?.notes ?? [];
    },
    async prepare(model, layoutHash) {
      await engineFor(model, layoutHash);
    },
    open(wanted) {
      const found = loaded.get(wanted.name);
      if (found !== undefined) return found;
      const made = load(wanted);
      loaded.set(wanted.name, made);
      made.catch(() => loaded.delete(wanted.name));
      for (const [hash, old] of [...loaded].slice(0, -KEPT)) {
        loaded.delete(hash);
        void old.then((model) => model.dispose()).catch(() => undefined);
      }
      return made;
    },
    usualMs(layoutHash) {
      const known = usual.get(layoutHash);
      if (known !== undefined) return known;
      const here = newest.get(layoutHash);
      if (here === undefined) return Promise.resolve(0);
      const measured = rehearse(here.model, here.loaded);
      usual.set(layoutHash, measured);
      measured.catch(() => usual.delete(layoutHash));
      return measured;
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

/** Interactions that a rehearsal makes up: more than nearly everybody has. */
const MANY = 500;

/** Trains as for a person with many interactions, spread over the catalogue, and throws the result away. */
async function rehearse({ items }: Model, loaded: LoadedModel): Promise<number> {
  const count = Math.max(1, Math.min(MANY, items >> 1));
  const positives = keepLocal(Int32Array.from({ length: count }, (_, i) => Math.floor((i * items) / count)));
  const random = seededRandom('rehearsal');
  const start = performance.now();
  const vector = await loaded.personalize(undefined, { positives }, random);
  await loaded.train(vector, { positives }, random);
  return performance.now() - start;
}

/** An update that the next one to train does not write over. */
function owned(update: LocalUpdate): LocalUpdate {
  const kept = keptUpdate(update);
  wipe(update.delta);
  return kept;
}

/** Many clients share a processor: one trains at a time, so that each is done soon and memory stays small. */
function oneAtATime(model: LoadedModel, turn: Turn): LoadedModel {
  return {
    train: (...args) => turn(async () => owned(await model.train(...args))),
    personalize: (...args) => turn(() => model.personalize(...args)),
    score: (...args) => turn(() => model.score(...args)),
    rank: (...args) => turn(() => model.rank(...args)),
    dispose: () => void turn(async () => model.dispose()),
  };
}
