import { fromHex, given, toHex } from '@tutti/base';
import { decodeWeights, modelOfRows, putRowsInPlace, type LoadedModel, type Model } from '@tutti/model';
import type { TaskInfo } from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import type { ClientStore, Models } from '../ports.ts';
import type { OpenTable } from '../slice.ts';
import type { Downloads } from './http.ts';
import { decodeKnownRows, encodeKnownRows, mergeRows, NO_ROWS, type KnownRows } from './known-rows.ts';
import type { SharedEngine } from './shared-engine.ts';

/** Keys in the store. */
const CHECKPOINT = 'checkpoint';
const ROWS = 'rows';
/** Of the checkpoint. Written last: without it, or with another one, the checkpoint is of a catalogue before the one now. */
const LAYOUT = 'checkpoint-layout';

/** The checkpoints and slices of one device: fetched, kept in its store so that they are here without a network, loaded. */
export interface Tables extends Models {
  open(modelHash: string, signal?: AbortSignal): Promise<LoadedModel>;
  /** The newest of what is here; the checkpoint `otherwise` where nothing is. What is fetched never depends on the person. */
  newest(otherwise: string): Promise<KnownTable>;
}

/** A table, and the numbers in it. */
export interface KnownTable extends OpenTable {
  /** What is in it: equal names stand for equal weights. */
  readonly name: string;
  /** The task's model, or the part of it whose rows are known. */
  readonly model: Model;
  /** Its weights, in the layout of `model`. */
  shared(): Promise<Float32Array>;
}

/** What the tables of a device are made of. */
export interface TablesOptions {
  readonly downloads: Downloads;
  readonly crypto: CryptoSuite;
  readonly task: TaskInfo;
  readonly model: Model;
  readonly store: ClientStore;
  readonly engine: SharedEngine;
  /** Hears why a checkpoint could not be kept; it is used all the same, and fetched again next time. Without it that is an error. */
  readonly onUnkept?: (cause: unknown) => void;
}

/**
 * The tables of a device. A whole checkpoint is kept as it is; rows of slices that came after it are kept beside it, and lie over
 * it. A device that never fetched a whole checkpoint knows the rows of the slices it took part with, and ranks those.
 */
export function openTables(options: TablesOptions): Tables {
  const { downloads, crypto, task, model, store, engine } = options;
  const { layoutHash } = task;
  /** Of several slices that come at once, each is merged with what the one before left. */
  let merging: Promise<unknown> = Promise.resolve();
  let unkept: Checkpoint | undefined;

  async function fetched(hash: string, signal?: AbortSignal): Promise<Uint8Array> {
    if (unkept?.hash === hash) return unkept.bytes;
    const kept = await keptCheckpoint(store, layoutHash);
    if (kept?.hash === hash) return kept.bytes;
    const bytes = await downloads.blob(hash, given({ signal }));
    try {
      // In this order: a crash between the two leaves an older table, never older rows over a newer one.
      await store.set(ROWS, NO_ROWS);
      await store.set(CHECKPOINT, concatenated(fromHex(hash), bytes));
      await store.set(LAYOUT, fromHex(layoutHash));
      unkept = undefined;
    } catch (error) {
      if (options.onUnkept === undefined) throw error;
      unkept = { hash, bytes };
      options.onUnkept(error);
    }
    return bytes;
  }

  // Every device fetches its own, as it would alone; what is loaded into the engine is shared.
  async function open(hash: string, signal?: AbortSignal): Promise<LoadedModel> {
    const bytes = await fetched(hash, signal);
    return engine.open({
      model,
      layoutHash,
      name: hash,
      weights: async () => decodeWeights(bytes, model.layout),
    });
  }

  async function merge(slice: KnownRows): Promise<void> {
    const known = decodeKnownRows(await store.get(ROWS), model);
    await store.set(ROWS, encodeKnownRows(mergeRows(model, known, slice)));
  }

  return {
    open,
    async openSlice({ slice }, read) {
      const { blobHash, bytes: most } = slice as NonNullable<typeof slice>;
      const part = read(await downloads.blob(blobHash, { most }));
      await (merging = merging.then(
        () => merge(part),
        () => merge(part),
      ));
      const { rows } = part;
      return {
        rows,
        loaded: await engine.open({
          model: part.model,
          layoutHash,
          name: `${blobHash}/${toHex(crypto.digest('rows', new Uint8Array(rows.buffer)))}`,
          weights: async () => part,
        }),
      };
    },
    async newest(otherwise) {
      const kept = await keptCheckpoint(store, layoutHash);
      const bytes = await store.get(ROWS);
      const known = decodeKnownRows(bytes, model);
      if (bytes === undefined || known === undefined) {
        const name = unkept?.hash ?? kept?.hash ?? otherwise;
        const shared = async (): Promise<Float32Array> =>
          decodeWeights(await fetched(name), model.layout).shared;
        return { loaded: await open(name), name, model, shared };
      }
      const name = `${kept?.hash ?? 'rows'}+${toHex(crypto.digest('rows', bytes))}`;
      if (kept !== undefined) {
        const { shared } = decodeWeights(kept.bytes, model.layout);
        putRowsInPlace(model, shared, known.rows, known.shared);
        const loaded = await engine.open({ model, layoutHash, name, weights: async () => ({ shared }) });
        return { loaded, name, model, shared: async () => shared };
      }
      const part = modelOfRows(model, known.rows.length);
      const loaded = await engine.open({ model: part, layoutHash, name, weights: async () => known });
      return { rows: known.rows, loaded, name, model: part, shared: async () => known.shared };
    },
  };
}

function concatenated(hash: Uint8Array, bytes: Uint8Array): Uint8Array {
  const value = new Uint8Array(hash.length + bytes.length);
  value.set(hash, 0);
  value.set(bytes, hash.length);
  return value;
}

interface Checkpoint {
  readonly hash: string;
  readonly bytes: Uint8Array;
}

/** The checkpoint that is kept; none where it is of another layout. Stores of 0.1.0 do not name one: theirs never changed. */
async function keptCheckpoint(store: ClientStore, layoutHash: string): Promise<Checkpoint | undefined> {
  const value = await store.get(CHECKPOINT);
  const layout = await store.get(LAYOUT);
  if (value === undefined || (layout !== undefined && toHex(layout) !== layoutHash)) return undefined;
  return { hash: toHex(value.subarray(0, 32)), bytes: value.slice(32) };
}
