import { decodeCheckpoint, encodeCheckpoint } from '@tutti/model';
import type { ContentModel } from './content-model.ts';
import type { ContentUpdate } from './content-step.ts';
import type { TaskHistory } from './history.ts';
import { keptForChannels } from './models.ts';
import { fetchBlob, type Blobs } from './ports.ts';
import type { TaskConfig } from './task-config.ts';

/**
 * Makes the content model that follows the history's from a sum, and keeps it and its next state.
 * @throws {MissingBlobError} when the current model or state is gone.
 */
export async function commitContent(
  { model, name }: TaskConfig,
  history: TaskHistory,
  { content, update }: { readonly content: ContentModel; readonly update: ContentUpdate },
  blobs: Blobs,
): Promise<{ modelHash: string; strategyHash: string }> {
  const { shared } = decodeCheckpoint(await fetchBlob(blobs, history.modelHash ?? ''), model.layout);
  const stored =
    history.strategyHash === undefined ? undefined : await fetchBlob(blobs, history.strategyHash);
  const state = content.nextInPlace(stored, shared, update);
  const metadata = { task: name, round: String(history.round + 1) };
  return {
    modelHash: await blobs.put(encodeCheckpoint({ layout: model.layout, shared, metadata })),
    strategyHash: await blobs.put(state),
  };
}

/** Keeps the newest checkpoints; a journalled round whose checkpoint is gone still names it by its hash. */
export async function pruneCheckpoints(
  before: TaskHistory,
  now: TaskHistory,
  keep: number,
  blobs: Blobs,
): Promise<void> {
  if (before.strategyHash !== undefined && before.strategyHash !== now.strategyHash)
    await blobs.delete(before.strategyHash);
  if (before.sliceHash !== undefined && before.sliceHash !== now.sliceHash)
    await blobs.delete(before.sliceHash);
  const { rounds, created, grown } = now;
  const kept = new Set([...rounds.slice(-keep).map(({ modelHash }) => modelHash), ...keptForChannels(now)]);
  const outdated = rounds.at(-1 - keep)?.modelHash;
  const gone = outdated ?? (rounds.length === keep ? created?.modelHash : undefined);
  if (gone !== undefined && !kept.has(gone)) await blobs.delete(gone);
  for (const { modelHash, round } of grown)
    if (now.round === round + keep && !kept.has(modelHash)) await blobs.delete(modelHash);
}
