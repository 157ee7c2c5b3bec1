import { DecodeError, fromHex, toHex, UsageError, utf8, type SecureRandom } from '@tutti/base';
import { createModel, layoutFingerprint, type Model, type ModelConfig } from '@tutti/model';
import { decodeTaskInfo, type TaskInfo } from '@tutti/protocol';
import type { CryptoSuite, KeyPair } from '@tutti/secure-aggregation';
import type { ClientStore } from '../ports.ts';
import { decodeCatalogue, type Catalogue } from './catalogue.ts';
import { WrongCoordinatorError } from './errors.ts';
import type { Downloads } from './http.ts';
import { deadlineSignal } from './signals.ts';

/** Keys in the store. */
const IDENTITY = 'identity';
const PINNED_KEY = 'coordinator-key';
const TASK = 'task';
const CATALOGUE = 'catalogue';

/** How long a client that knows its task waits to hear of it again, in milliseconds. */
const KNOWN_TASK_MS = 3_000;

/** What a device must know of its task before it recommends or takes part. */
export interface Learned {
  readonly task: TaskInfo;
  readonly model: Model;
  readonly catalogue: Catalogue;
}

/** A model's configuration from outside. @throws for one that is wrong, or that does not train here. */
export type DecodeConfig = (value: unknown) => ModelConfig;

/** What it is learned with. */
export interface LearnOptions {
  readonly taskName: string;
  readonly coordinatorKey?: string;
  readonly store: ClientStore;
  readonly downloads: Downloads;
  readonly crypto: CryptoSuite;
  /** Checks the configuration of a model, of those that train here. */
  readonly decodeConfig: DecodeConfig;
}

/** This device's key, made once and kept in the store. */
export async function keptIdentity(
  store: ClientStore,
  random: SecureRandom,
  crypto: CryptoSuite,
): Promise<KeyPair> {
  const kept = await store.get(IDENTITY);
  const seed = kept ?? random.bytes(32);
  if (kept === undefined) await store.set(IDENTITY, seed);
  return crypto.signKeyPairFromSeed(seed);
}

/**
 * The task with its catalogue: from the coordinator, or as they were last seen where there is no network.
 * @param first `store` asks the coordinator only where nothing is kept.
 * @throws {WrongCoordinatorError} if the coordinator's key is not the one that is pinned.
 */
export async function learn(options: LearnOptions, first: 'network' | 'store' = 'network'): Promise<Learned> {
  const { store, crypto } = options;
  const task = await learnTask(options, first);
  const model = createModel(options.decodeConfig(task.model), task.items);
  if (toHex(crypto.digest('layout', utf8(layoutFingerprint(model)))) !== task.layoutHash)
    throw new DecodeError('task.layoutHash', 'is not that of the model that the task names');
  const catalogue = await learnCatalogue(options, task);
  await store.set(TASK, utf8(JSON.stringify(task)));
  return { task, model, catalogue };
}

/** @throws {WrongCoordinatorError} if what a coordinator says of itself is not what is pinned. */
export function checkPinned(info: TaskInfo, pinned: string): void {
  if (info.coordinatorKey !== pinned) throw new WrongCoordinatorError(pinned, info.coordinatorKey);
}

/** The task from the coordinator, or as it was last seen where there is no network. The coordinator's key is pinned. */
async function learnTask(options: LearnOptions, first: 'network' | 'store'): Promise<TaskInfo> {
  const { store, taskName, downloads } = options;
  const pinned = options.coordinatorKey ?? textOf(await store.get(PINNED_KEY));
  if (pinned !== undefined) fromHex(pinned, 'coordinatorKey', 32);
  const kept = await store.get(TASK);
  // Who knows the task already need not wait for a network that swallows everything.
  const patience = kept === undefined ? undefined : deadlineSignal(KNOWN_TASK_MS);
  let info: TaskInfo;
  const keptTask = (): TaskInfo => decodeTaskInfo(JSON.parse(textOf(kept) as string));
  try {
    info = kept !== undefined && first === 'store' ? keptTask() : await downloads.task(taskName, patience);
  } catch (error) {
    if (kept === undefined || error instanceof DecodeError) throw error;
    info = keptTask();
  }
  if (info.task !== taskName)
    throw new UsageError(`this store belongs to task ${info.task}; task ${taskName} needs one of its own`);
  if (pinned !== undefined) checkPinned(info, pinned);
  else await store.set(PINNED_KEY, utf8(info.coordinatorKey));
  return info;
}

async function learnCatalogue(
  { store, downloads, crypto }: LearnOptions,
  task: TaskInfo,
): Promise<Catalogue> {
  const kept = await store.get(CATALOGUE);
  if (kept !== undefined && toHex(crypto.digest('blob', kept)) === task.catalogueHash)
    return decodeCatalogue(kept, task.items);
  const bytes = await downloads.blob(task.catalogueHash);
  await store.set(CATALOGUE, bytes);
  return decodeCatalogue(bytes, task.items);
}

const textOf = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);
