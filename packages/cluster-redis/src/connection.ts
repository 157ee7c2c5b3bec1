import { toHex, type SecureRandom } from '@tutti/base';
import type { SharedStorage } from '@tutti/coordination';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { openBus, type Bus } from './bus.ts';
import { EVERYBODY, openMembers, type Card, type Members, type Role } from './members.ts';
import { connectRedis, untilConnected } from './redis.ts';
import { clusterName, openSealer, type NodeId } from './sealing.ts';
import { openStreams, type Streams } from './streams.ts';
import { TAKE_OVER_MS, timingOf, type Timing } from './timing.ts';

/** How long Redis may take to answer at the start, in milliseconds. */
const REDIS_MS = 20_000;

/** Where the cluster's secret stands in its storage: it seals what goes through Redis. */
const CLUSTER_SECRET = 'cluster-secret';

/** What every process of a cluster is given. */
export interface ConnectionOptions {
  /** `redis://[user:password@]host:6379[/n]`. */
  readonly redis: string;
  readonly storage: SharedStorage;
  /** After so long without a sign of life a process counts as gone, and its tasks are taken over, in milliseconds; default 6000. */
  readonly takeOverMs?: number;
}

/** What a process needs to be one of a cluster. */
export interface ClusterOptions extends ConnectionOptions {
  readonly roles: readonly Exclude<Role, 'worker'>[];
  /** Hears what goes wrong with a task in this process; another one may do better. */
  readonly onProblem?: (task: string, error: Error) => void;
  /** Hears which tasks this process takes over and lets go of, as their owner. */
  readonly onOwned?: (task: string, change: 'taken' | 'released') => void;
}

/** One process among the others. */
export interface Connection {
  readonly self: NodeId;
  /** The cluster's, as Redis shows it. */
  readonly name: string;
  readonly secret: Uint8Array;
  readonly timing: Timing;
  readonly bus: Bus;
  readonly streams: Streams;
  readonly members: Members;
  close(): Promise<void>;
}

/** What keys and names are made with. */
export interface Primitives {
  readonly crypto: CryptoSuite;
  readonly random: SecureRandom;
}

/** @throws {RedisUnavailableError} and what the storage throws. */
export async function connectCluster(
  { redis, storage, takeOverMs }: ConnectionOptions,
  engine: Primitives,
  card: () => Card,
): Promise<Connection> {
  const secret = await storage.shared(CLUSTER_SECRET, () => engine.random.bytes(32));
  return connectWith({ redis, secret, ...(takeOverMs === undefined ? {} : { takeOverMs }) }, engine, card);
}

/** Connects to those who have the same secret. @throws {RedisUnavailableError} */
export async function connectWith(
  { redis, secret, takeOverMs }: Omit<ConnectionOptions, 'storage'> & { readonly secret: Uint8Array },
  { crypto, random }: Primitives,
  card: () => Card,
): Promise<Connection> {
  const timing = timingOf(takeOverMs ?? TAKE_OVER_MS);
  const self = toHex(random.bytes(16)) as NodeId;
  const name = clusterName(secret, crypto);
  const commands = connectRedis(redis);
  const reader = connectRedis(redis);
  try {
    await Promise.all([untilConnected(commands, REDIS_MS), untilConnected(reader, REDIS_MS)]);
  } catch (error) {
    commands.disconnect();
    reader.disconnect();
    throw error;
  }
  const sealer = openSealer(self, secret, crypto);
  const streams = openStreams({ self, name, sealer, commands, reader });
  const bus = openBus(streams, timing);
  const opener = openSealer(EVERYBODY, secret, crypto);
  const members = openMembers({ self, name, sealer, opener, commands, timing, card });
  return {
    ...{ self, name, secret, timing, bus, streams, members },
    async close() {
      await members.close();
      bus.close();
      await streams.close();
      commands.disconnect();
    },
  };
}
