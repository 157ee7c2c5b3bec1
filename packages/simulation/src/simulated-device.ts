import { keepLocal, seededRandom, type LocalOnly, type SecureRandom } from '@tutti/base';
import {
  DEFAULT_POLICY,
  mayBeRanged,
  type ClientStore,
  type DeviceOptions,
  type Models,
  type Policy,
  type RangedInputs,
} from '@tutti/client';
import type { HeldOutItem, Model } from '@tutti/model';
import type { CryptoSuite, KeyPair } from '@tutti/secure-aggregation';
import { simulatedIdentity, type SimulatedAuthority } from './identity.ts';
import { rowOf, type SharedHeldOut } from './population.ts';
import type { ThreadSetup } from './thread.ts';

/** What the devices of a thread share, and the store of each. */
export interface DeviceParts {
  readonly model: Model;
  readonly models: Models;
  readonly store: ClientStore;
  readonly crypto: CryptoSuite;
  readonly random: SecureRandom;
  readonly authority: SimulatedAuthority;
  /** Memory for one input after another. */
  readonly inputs: RangedInputs;
}

/** What the device of one user is made of: everything random in it comes from (seed, user, attempt). */
export function simulatedDevice(
  setup: ThreadSetup,
  user: number,
  { model, models, store, crypto, random, authority, inputs }: DeviceParts,
): DeviceOptions {
  const { population, seed } = setup;
  const own = seededRandom(seed).fork('device', user);
  const policy = simulatedPolicy(setup, authority);
  let keyPair: KeyPair | undefined;
  return {
    // A plain attempt signs nothing, and making a key pair costs as much as training.
    get identity() {
      return (keyPair ??= simulatedIdentity(seed, user).keyPair);
    },
    task: setup.task,
    model,
    store,
    models,
    data: async () => ({
      positives: rowOf(population.train, user),
      ...ratingsOf(population, user),
      ...heldOutOf(population.validation, user),
    }),
    crypto,
    random,
    rangedInputs: (description) => (mayBeRanged(description, policy) ? inputs : undefined),
    words: (purpose, attempt) => own.fork(purpose, attempt),
    seeds: (attempt) => own.fork('training', attempt),
    // Time is virtual here, and nothing that a device keeps ends.
    nowMs: () => 0,
    token: async ({ clientId }) => authority.token(clientId),
    policy,
  };
}

/** What a simulated device asks of a round: it has nobody to protect from its own coordinator. */
export const simulatedPolicy = (
  { smallestCohort, protocol }: Pick<ThreadSetup, 'smallestCohort' | 'protocol'>,
  { publicKey }: SimulatedAuthority,
): Policy => ({
  ...DEFAULT_POLICY,
  authorities: [publicKey],
  largestClippingNorm: Number.POSITIVE_INFINITY,
  smallestCohort,
  allowPlain: protocol === 'plain',
  trustCoordinatorNoise: true,
});

/** What a person gave their items, where the data hold ratings. */
function ratingsOf(
  { train: { offsets, ratings } }: ThreadSetup['population'],
  user: number,
): { ratings?: LocalOnly<Float32Array> } {
  return ratings === undefined
    ? {}
    : { ratings: keepLocal(ratings.subarray(offsets[user], offsets[user + 1])) };
}

function heldOutOf(heldOut: SharedHeldOut | undefined, user: number): { heldOut?: LocalOnly<HeldOutItem> } {
  const item = heldOut?.positives[user];
  if (heldOut === undefined || item === undefined || item < 0) return {};
  const rating = heldOut.ratings?.[user] ?? Number.NaN;
  return {
    heldOut: keepLocal({
      item,
      candidates: rowOf(heldOut.candidates, user),
      ...(Number.isNaN(rating) ? {} : { rating }),
    }),
  };
}
