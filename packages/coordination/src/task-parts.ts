import { seededRandom } from '@tutti/base';
import { encodeCheckpoint, initialShared } from '@tutti/model';
import { decodeTaskCatalogue } from './catalogue.ts';
import { contentOf, type ContentModel } from './content-model.ts';
import { CentralNoise } from './central-noise.ts';
import { layoutHashOf } from './describe.ts';
import { StaleTaskError } from './errors.ts';
import { growTask } from './growth.ts';
import { restartEntry } from './history.ts';
import { JOURNAL_VERSION } from './journal.ts';
import { Lobby } from './lobby.ts';
import { checkNoiseHistory } from './noise-history.ts';
import { NewestModel } from './newest-model.ts';
import { blobHash, fetchBlob, type RunnerPorts } from './ports.ts';
import { Post } from './post.ts';
import { SliceShelf } from './slice.ts';
import type { TaskConfig } from './task-config.ts';
import { TaskLog } from './task-log.ts';

/** What a task is run with: its history, who waits, what is sent. */
export interface TaskParts {
  readonly config: TaskConfig;
  readonly ports: RunnerPorts;
  readonly log: TaskLog;
  readonly lobby: Lobby;
  readonly post: Post;
  readonly noise: CentralNoise;
  readonly newest: NewestModel;
  readonly slices: SliceShelf | undefined;
  readonly content: ContentModel | undefined;
  readonly layoutHash: string;
  readonly catalogueHash: string;
}

/** How many of the last rounds say, after a restart, how long a round takes. */
const REMEMBERED_ROUNDS = 5;

export function taskParts(config: TaskConfig, ports: RunnerPorts): TaskParts {
  const { accounting, participation } = config.noise;
  const layoutHash = layoutHashOf(config, ports.crypto);
  const catalogueHash = blobHash(config.catalogue, ports.crypto);
  const content = contentOf(config);
  return {
    config,
    ports,
    log: new TaskLog(config.name, ports.store, {
      ...(accounting === undefined ? {} : { dpDelta: accounting.dpDelta }),
      ...(participation === undefined ? {} : { participationCap: participation.most }),
    }),
    lobby: new Lobby(ports.selection, longestRoundMs(config)),
    post: new Post(ports.outbox, ports.crypto, ports.keyPair),
    noise: new CentralNoise(config.name, { ...ports, words: ports.noise }),
    content,
    newest: new NewestModel(config, ports.blobs),
    slices:
      config.slice && new SliceShelf(config, config.slice, { layoutHash, catalogueHash }, ports, content),
    layoutHash,
    catalogueHash,
  };
}

/** Taking masks from a sum, and writing down what comes of it, in milliseconds: more than it ever took. */
const SUMMING_MS = 60_000;

/** All of a round's deadlines, one after another: some phases are gone through twice. */
function longestRoundMs({ deadlinesMs: { train, shareKeys, maskedInput, unmask } }: TaskConfig): number {
  return train + 2 * shareKeys + maskedInput + 2 * unmask + SUMMING_MS;
}

/** Replays the journal; begins the task where there is none; ends what a crash left open, and says so. @throws {StaleTaskError} */
export async function openTask(parts: TaskParts): Promise<void> {
  const { config, log, lobby, ports } = parts;
  await log.replay();
  await ports.blobs.put(config.catalogue);
  if (log.history.created === undefined) await createTask(parts);
  const restarted = restartEntry(log.history, ports.clock.now());
  if (restarted !== undefined) {
    await log.append(restarted);
    const { reason, record } = restarted;
    ports.emit({ type: 'aborted', task: config.name, reason, record, againAfterMs: 0 });
  }
  await followCatalogue(parts);
  checkNoiseHistory(config, log.history);
  const { rounds } = log.history;
  for (const { durationMs } of rounds.slice(-REMEMBERED_ROUNDS)) lobby.observeRound(durationMs);
}

async function createTask(parts: TaskParts): Promise<void> {
  const { config, ports, log, content, layoutHash, catalogueHash } = parts;
  const { layout } = config.model;
  const shared = content?.first() ?? initialShared(config.model, seededRandom(config.seed).fork('model'));
  const metadata = { task: config.name, round: '0' };
  const modelHash = await ports.blobs.put(encodeCheckpoint({ layout, shared, metadata }));
  const atMs = ports.clock.now();
  await log.append({ v: JOURNAL_VERSION, type: 'task-created', atMs, layoutHash, catalogueHash, modelHash });
}

/** Takes up the numbers that follow from a census, once. @throws {StaleTaskError} if none does, or something was trained before. */
async function followCensus({ config, log, ports, layoutHash }: TaskParts): Promise<void> {
  const { countedHistory: meanHistory } = config;
  if (meanHistory === undefined || log.history.round > 0) throw new StaleTaskError(config.name);
  const atMs = ports.clock.now();
  await log.append({ v: JOURNAL_VERSION, type: 'defaults-followed', atMs, meanHistory, layoutHash });
}

/** Takes up a catalogue that changed. @throws {StaleTaskError} if that is not all that changed. */
async function followCatalogue(parts: TaskParts): Promise<void> {
  const { config, log, ports, content, layoutHash, catalogueHash } = parts;
  const { history } = log;
  const known = history.hashes ?? { layoutHash: '', catalogueHash: '' };
  if (known.catalogueHash === catalogueHash) {
    if (known.layoutHash !== layoutHash) await followCensus(parts);
    return;
  }
  const { blobs, clock } = ports;
  const from = decodeTaskCatalogue(await fetchBlob(blobs, known.catalogueHash));
  const grown = await growTask(config, history, from, blobs, content);
  const hashes = { layoutHash, catalogueHash };
  const atMs = clock.now();
  await log.append({ v: JOURNAL_VERSION, type: 'catalogue-changed', atMs, ...hashes, ...grown });
  for (const old of [history.strategyHash, history.sliceHash])
    if (old !== undefined && old !== grown.strategyHash && old !== grown.sliceHash) await blobs.delete(old);
}
