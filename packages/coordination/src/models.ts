import { toHex } from '@tutti/base';
import { CHANNELS, manifestDigest, type Channel, type Manifest } from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import type { TaskHistory } from './history.ts';
import type { RoundRecord } from './journal.ts';

/** The models of a task, as its journal tells them. */

/** A model, named by the hash of its manifest. */
export interface ModelVersion {
  readonly hash: string;
  readonly manifest: Manifest;
}

const known = new WeakMap<TaskHistory, readonly ModelVersion[]>();

/** Every model of a task, the first weights first, each naming the one before it. Equal journals give equal manifests. */
export function manifestsOf(
  task: string,
  history: TaskHistory,
  crypto: CryptoSuite,
): readonly ModelVersion[] {
  const found = known.get(history);
  if (found !== undefined) return found;
  const versions: ModelVersion[] = [];
  for (const facts of factsOf(history)) {
    const manifest: Manifest = { v: 1, task, parent: versions.at(-1)?.hash ?? null, ...facts };
    versions.push({ hash: toHex(manifestDigest(manifest, crypto)), manifest });
  }
  known.set(history, versions);
  return versions;
}

type Facts = Omit<Manifest, 'v' | 'task' | 'parent'>;

const NOTHING = { cohort: null, epsilon: null, metrics: null } as const;

/** What is known of each model, in the order in which they were made. */
function* factsOf({ created, grown, rounds }: TaskHistory): Iterable<Facts> {
  if (created === undefined) return;
  let hashes = hashesIn(created);
  const { modelHash, atMs } = created;
  yield { round: 0, kind: 'first', atMs, modelHash, ...hashes, ...NOTHING };
  for (let round = 0; round <= rounds.length; round++) {
    const record = rounds[round - 1];
    if (record !== undefined) yield { ...factsOfRound(record), ...hashes };
    for (const change of grown.filter((each) => each.round === round)) {
      hashes = hashesIn(change);
      yield {
        ...{ round, kind: change.kind, atMs: change.atMs, modelHash: change.modelHash },
        ...{ ...hashes, ...NOTHING },
      };
    }
  }
}

const hashesIn = ({ layoutHash, catalogueHash }: { layoutHash: string; catalogueHash: string }) => ({
  ...{ layoutHash, catalogueHash },
});

function factsOfRound(record: RoundRecord): Omit<Facts, 'layoutHash' | 'catalogueHash'> {
  const { round, endedAtMs: atMs, modelHash, selected, cohort, reported, metrics, loss, epsilon } = record;
  const { hr10, ndcg10, evaluated, rmse = null } = metrics;
  return {
    ...{ round, kind: 'round', atMs, modelHash, epsilon },
    cohort: { selected, cohort, reported },
    metrics: { hr10, ndcg10, rmse, loss, evaluated },
  };
}

/** Characters of a hash that name it; a round has fewer digits. */
const SHORTEST_HASH = 12;

/** The model of a hash, of the beginning of one, or of a round: the newest of that round. */
export function findModel(models: readonly ModelVersion[], name: string): ModelVersion | undefined {
  const isHash = name.length >= SHORTEST_HASH;
  return models.findLast(({ hash, manifest }) =>
    isHash ? hash.startsWith(name) : String(manifest.round) === name,
  );
}

/** What was put on a channel and not taken back, the last one on top. */
export function channelOf(
  { promotions }: Pick<TaskHistory, 'promotions'>,
  channel: Channel,
): readonly { readonly manifest: string; readonly modelHash: string }[] {
  const stack: { manifest: string; modelHash: string }[] = [];
  for (const entry of promotions) {
    if (entry.channel !== channel) continue;
    if (entry.step === 'rollback') stack.pop();
    else if (entry.manifest !== null && entry.modelHash !== null)
      stack.push({ manifest: entry.manifest, modelHash: entry.modelHash });
  }
  return stack;
}

/** Checkpoints that have to stay: what channels have, and what a rollback would put there. */
export const keptForChannels = (history: Pick<TaskHistory, 'promotions'>): readonly string[] =>
  CHANNELS.flatMap((channel) =>
    channelOf(history, channel)
      .slice(-2)
      .map(({ modelHash }) => modelHash),
  );
