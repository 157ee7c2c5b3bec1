import { fromHex, toHex } from '@tutti/base';
import type { ClientStore, Models, OpenTable } from '@tutti/client';
import { decodeCheckpoint, modelOfRows, putRowsInPlace, type LoadedModel, type Model } from '@tutti/model';
import type { TaskInfo } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { fetchBlob } from './http.ts';
import { decodeKnownRows, encodeKnownRows, mergeRows, NO_ROWS, type KnownRows } from './known-rows.ts';
import type { SharedEngine } from './shared-engine.ts';

/** Keys in the store. */
const CHECKPOINT = 'checkpoint';
const ROWS = 'rows';

/** The checkpoints and slices of one device: fetched, kept in its store so that they are here without a network, loaded. */
export interface Tables extends Models {
  open(modelHash: string, signal?: AbortSignal): Promise<LoadedModel>;
  /** The newest of what is here; the checkpoint `otherwise` where nothing is. What is fetched never depends on the person. */
  newest(otherwise: string): Promise<OpenTable>;
}

/** What the tables of a device are made of. */
export interface TablesOptions {
  readonly coordinator: string;
  readonly task: TaskInfo;
  readonly model: Model;
  readonly store: ClientStore;
  readonly engine: SharedEngine;
}

/**
 * The tables of a device. A whole checkpoint is kept as it is; rows of slices that came after it are kept beside it, and lie over
 * it. A device that never fetched a whole checkpoint knows the rows of the slices it took part with, and ranks those.
 */
export function openTables({ coordinator, task, model, store, engine }: TablesOptions): Tables {
  const { layoutHash } = task;
  /** Of several slices that come at once, each is merged with what the one before left. */
  let merging: Promise<unknown> = Promise.resolve();

  async function fetched(hash: string, signal?: AbortSignal): Promise<Uint8Array> {
    const kept = await keptCheckpoint(store);
    if (kept?.hash === hash) return kept.bytes;
    const bytes = await fetchBlob(coordinator, hash, signal === undefined ? {} : { signal });
    // In this order: a crash between the two leaves an older table, never older rows over a newer one.
    await store.set(ROWS, NO_ROWS);
    await store.set(CHECKPOINT, concatenated(fromHex(hash), bytes));
    return bytes;
  }

  // Every device fetches its own, as it would alone; what is loaded into the engine is shared.
  async function open(hash: string, signal?: AbortSignal): Promise<LoadedModel> {
    const bytes = await fetched(hash, signal);
    return engine.open({
      model,
      layoutHash,
      name: hash,
      weights: async () => decodeCheckpoint(bytes, model.layout),
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
      const part = read(await fetchBlob(coordinator, blobHash, { most }));
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
          name: `${blobHash}/${toHex(nodeCrypto.digest('rows', new Uint8Array(rows.buffer)))}`,
          weights: async () => part,
        }),
      };
    },
    async newest(otherwise) {
      const kept = await keptCheckpoint(store);
      const bytes = await store.get(ROWS);
      const known = decodeKnownRows(bytes, model);
      if (bytes === undefined || known === undefined) return { loaded: await open(kept?.hash ?? otherwise) };
      const name = `${kept?.hash ?? 'rows'}+${toHex(nodeCrypto.digest('rows', bytes))}`;
      if (kept !== undefined) {
        const { shared } = decodeCheckpoint(kept.bytes, model.layout);
        putRowsInPlace(model, shared, known.rows, known.shared);
        return { loaded: await engine.open({ model, layoutHash, name, weights: async () => ({ shared }) }) };
      }
      const part = modelOfRows(model, known.rows.length);
      const loaded = await engine.open({ model: part, layoutHash, name, weights: async () => known });
      return { rows: known.rows, loaded };
    },
  };
}

function concatenated(hash: Uint8Array, bytes: Uint8Array): Uint8Array {
  const value = new Uint8Array(hash.length + bytes.length);
  value.set(hash, 0);
  value.set(bytes, hash.length);
  return value;
}

async function keptCheckpoint(store: ClientStore): Promise<{ hash: string; bytes: Uint8Array } | undefined> {
  const value = await store.get(CHECKPOINT);
  return value === undefined ? undefined : { hash: toHex(value.subarray(0, 32)), bytes: value.slice(32) };
}
