import type { Models, OpenTable } from '@tutti/client';
import { decodeCheckpoint, type LoadedModel, type Model, type TrainingEngine } from '@tutti/model';
import type { FetchBlob } from './device-pool.ts';

/** The models of a thread, for its devices one after another: the newest checkpoint and the newest slice stay loaded. */
export function threadModels(
  engine: TrainingEngine,
  model: Model,
  { fetchBlob, openSliced }: { fetchBlob: FetchBlob; openSliced(part: Model): Promise<TrainingEngine> },
): Models {
  let loaded: { hash: string; model: LoadedModel } | undefined;
  /** Every slice of a task has as many rows, so one engine does for all. */
  let sliceEngine: TrainingEngine | undefined;
  let opened: { attempt: number; table: OpenTable } | undefined;
  return {
    async open(hash) {
      if (loaded?.hash === hash) return loaded.model;
      const bytes = await fetchBlob(hash);
      loaded?.model.dispose();
      loaded = undefined;
      loaded = { hash, model: await engine.load(decodeCheckpoint(bytes, model.layout).shared) };
      return loaded.model;
    },
    async openSlice({ slice, attempt }, read) {
      if (opened?.attempt === attempt) return opened.table;
      const part = read((await fetchBlob(slice?.blobHash ?? '')) ?? new Uint8Array(0));
      opened?.table.loaded.dispose();
      opened = undefined;
      sliceEngine ??= await openSliced(part.model);
      const table = { rows: part.rows, loaded: await sliceEngine.load(part.shared, part.whole) };
      opened = { attempt, table };
      return table;
    },
  };
}
