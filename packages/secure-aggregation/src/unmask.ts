import { FederatedError, wipe } from '@tutti/base';
import type { ClientId, CohortDigest, CryptoSuite } from './crypto-suite.ts';
import type { MaskStream } from './keystream.ts';
import { pairSeed, pairSign, selfSeed } from './share-records.ts';

/** A client that a dropped one masked with. */
export interface Peer {
  readonly id: ClientId;
  readonly maskKey: Uint8Array;
}

/** A secret that the shares gave back, and whose masks it tells: of its owner alone, or of its owner and its neighbours. */
export type RecoveredSecret =
  | { readonly kind: 'self-seed'; readonly owner: ClientId; readonly secret: Uint8Array }
  | {
      readonly kind: 'mask-key';
      readonly owner: ClientId;
      readonly secret: Uint8Array;
      /** The owner's neighbours in U3: what each added for the pair is still in the sum. */
      readonly peers: readonly Peer[];
    };

/** All masks of a group, recovered; `culprits` sent shares that do not fit and were left out. */
export interface RecoveredMasks {
  readonly phase: 'recovered';
  readonly cohortDigest: CohortDigest;
  readonly secrets: readonly RecoveredSecret[];
  readonly culprits: readonly ClientId[];
}

/** Removes masks from sums. In this thread, or on others; the result is the same to the last bit. */
export interface Unmasker {
  /** A sum will come: begins what takes time to begin. */
  prepare(): void;
  /**
   * Takes the masks away from a group's running sum, in place: afterwards it is the exact sum of the survivors' quantised
   * inputs modulo 2³². The secrets are wiped, also when it fails; the sum is then of no use.
   * @throws {UnmaskingError} when it could not be done.
   */
  remove(sum: Uint32Array, masks: RecoveredMasks): Promise<void>;
  /** Ends what is going on, with an {@link UnmaskingError}; nothing is taken afterwards. */
  close(): Promise<void>;
}

/** The masks of a group could not be taken from its sum: what was to do it is gone, too slow, or has too much to do. */
export class UnmaskingError extends FederatedError {
  override readonly name = 'UnmaskingError';
  readonly code = 'secure-aggregation/unmasking-failed';
  readonly fault = 'environment' as const;
}

/** Wipes the secrets of masks that nobody removes, or that were removed. */
export function wipeMasks({ secrets }: Pick<RecoveredMasks, 'secrets'>): void {
  wipe(...secrets.map(({ secret }) => secret));
}

/** Streams that are made at once: enough for a block to pay, few enough that a batch is short. */
export const BATCH_STREAMS = 32;

/** The streams that take the masks of one secret away; their seeds belong to the caller, who wipes them. */
export function streamsOf(
  recovered: RecoveredSecret,
  cohort: CohortDigest,
  crypto: CryptoSuite,
): MaskStream[] {
  const { owner, secret } = recovered;
  if (recovered.kind === 'self-seed') return [{ seed: selfSeed(cohort, owner, secret, crypto), sign: -1 }];
  return recovered.peers.map(({ id, maskKey }) => {
    const shared = crypto.sharedKey(maskKey, secret);
    const seed = pairSeed(cohort, id, owner, shared, crypto);
    wipe(shared);
    // What the survivor added, taken away.
    return { seed, sign: pairSign(id, owner) === 1 ? -1 : 1 };
  });
}

/** Secrets in groups of at most BATCH_STREAMS streams; one with more peers than that stands alone. */
export function* batchesOf(secrets: readonly RecoveredSecret[]): Generator<readonly RecoveredSecret[]> {
  let batch: RecoveredSecret[] = [];
  let streams = 0;
  for (const secret of secrets) {
    const more = secret.kind === 'self-seed' ? 1 : secret.peers.length;
    if (batch.length > 0 && streams + more > BATCH_STREAMS) {
      yield batch;
      [batch, streams] = [[], 0];
    }
    batch.push(secret);
    streams += more;
  }
  if (batch.length > 0) yield batch;
}

/** Takes the masks of a batch away from `sum`, in place, and wipes its secrets. */
export function removeBatch(
  sum: Uint32Array,
  batch: readonly RecoveredSecret[],
  cohort: CohortDigest,
  crypto: CryptoSuite,
): void {
  const streams: MaskStream[] = [];
  try {
    for (const secret of batch) streams.push(...streamsOf(secret, cohort, crypto));
    crypto.addKeystreams(sum, streams);
  } finally {
    wipe(...streams.map(({ seed }) => seed), ...batch.map(({ secret }) => secret));
  }
}

/** The masks of a group taken from its sum in this thread, in place; secrets are wiped as they are used. */
export function removeMasks(sum: Uint32Array, masks: RecoveredMasks, crypto: CryptoSuite): void {
  try {
    for (const batch of batchesOf(masks.secrets)) removeBatch(sum, batch, masks.cohortDigest, crypto);
  } finally {
    wipeMasks(masks);
  }
}

/** Removes masks in this thread: for browsers and tests. */
export function localUnmasker(crypto: CryptoSuite): Unmasker {
  let closed = false;
  return {
    prepare: () => undefined,
    async remove(sum, masks) {
      if (!closed) return removeMasks(sum, masks, crypto);
      wipeMasks(masks);
      throw new UnmaskingError('the unmasker is closed');
    },
    async close() {
      closed = true;
    },
  };
}
