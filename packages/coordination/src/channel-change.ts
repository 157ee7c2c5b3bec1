import type { TaskHistory } from './history.ts';
import { JOURNAL_VERSION, type JournalEntry } from './journal.ts';
import { channelOf, findModel, keptForChannels, manifestsOf } from './models.ts';
import { channelsOf, Registry, type ChannelRequest, type RegistryRefusal } from './registry.ts';
import type { Serial } from './serial.ts';
import type { TaskParts } from './task-parts.ts';

/** The registry of a task that is run here. */
export function registryOf(parts: TaskParts, serial: Serial): Registry {
  const { config, log, ports } = parts;
  const { crypto, keyPair, blobs } = ports;
  return new Registry({
    ...{ task: config.name, crypto, keyPair, blobs, policy: config.promotion },
    history: async () => log.history,
    // Between other things that happen. A refusal is told to whoever asked; it is no failure of the task.
    change: (request) => serial.run(() => changeChannel(parts, request)),
  });
}

/** Writes down what a channel has from now on, tells it, and forgets checkpoints that nothing needs any more. */
export async function changeChannel(
  parts: TaskParts,
  request: ChannelRequest,
): Promise<RegistryRefusal | undefined> {
  const { config, log, ports } = parts;
  const { channel, by, judged } = request;
  const before = log.history;
  const next = await decide(parts, request);
  if (typeof next !== 'object') return next;
  const step = request.model === null ? 'rollback' : 'promote';
  const atMs = ports.clock.now();
  const told = judged === undefined ? {} : { judged };
  await log.append({ v: JOURNAL_VERSION, type: 'model-promoted', atMs, channel, step, by, ...next, ...told });
  if (judged !== undefined) ports.emit({ type: 'model-judged', task: config.name, ...judged });
  ports.emit({ type: 'model-promoted', task: config.name, channel, step, by, modelHash: next.modelHash });
  await forget(parts, before);
  return undefined;
}

type Next = Pick<Extract<JournalEntry, { type: 'model-promoted' }>, 'manifest' | 'modelHash'>;

/** What a channel is to have; undefined where it has that already. */
async function decide(
  { config, log, ports }: TaskParts,
  { channel, model }: ChannelRequest,
): Promise<RegistryRefusal | Next | undefined> {
  const { history } = log;
  if (model === null) {
    const stack = channelOf(history, channel);
    return stack.length === 0 ? 'nothing-promoted' : (stack.at(-2) ?? { manifest: null, modelHash: null });
  }
  const found = findModel(manifestsOf(config.name, history, ports.crypto), model);
  if (found === undefined) return 'unknown-model';
  const { modelHash, layoutHash, catalogueHash } = found.manifest;
  const { hashes } = history;
  if (layoutHash !== hashes?.layoutHash || catalogueHash !== hashes.catalogueHash) return 'other-catalogue';
  if ((await ports.blobs.get(modelHash)) === undefined) return 'gone';
  return channelsOf(history, found.hash).includes(channel) ? undefined : { manifest: found.hash, modelHash };
}

async function forget({ config, log, ports }: TaskParts, before: TaskHistory): Promise<void> {
  const { rounds, modelHash, created } = log.history;
  const needed = new Set([
    ...keptForChannels(log.history),
    ...rounds.slice(-config.keepCheckpoints).map((record) => record.modelHash),
    ...(rounds.length < config.keepCheckpoints ? [created?.modelHash] : []),
    modelHash,
  ]);
  for (const hash of keptForChannels(before)) if (!needed.has(hash)) await ports.blobs.delete(hash);
}
