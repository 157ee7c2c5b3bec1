import { toHex } from '@tutti/base';
import {
  COORDINATOR_KEY,
  type Coordination,
  type CoordinationOptions,
  type SharedStorage,
} from '@tutti/coordination';
import { openBus } from './bus.ts';
import { openGateway, type Gateway } from './gateway.ts';
import { EVERYBODY, openMembers, type Members, type Role } from './members.ts';
import { openOwner, type Owner } from './owner.ts';
import { connectRedis, untilConnected } from './redis.ts';
import { clusterName, openSealer, type NodeId } from './sealing.ts';
import { openStreams } from './streams.ts';
import { TAKE_OVER_MS, timingOf } from './timing.ts';

/** How long Redis may take to answer at the start, in milliseconds. */
const REDIS_MS = 20_000;
/** How long a gateway waits at its start for tasks to have an owner, in milliseconds; it goes on without. */
const FIRST_OWNER_MS = 15_000;

/** Where the cluster's secret stands in its storage: it seals what goes through Redis. */
const CLUSTER_SECRET = 'cluster-secret';

/** What a process needs to be one of a cluster. */
export interface ClusterOptions {
  /** `redis://[user:password@]host:6379[/n]`. */
  readonly redis: string;
  readonly roles: readonly Exclude<Role, 'worker'>[];
  readonly storage: SharedStorage;
  /** After so long without a sign of life a process counts as gone, and its tasks are taken over, in milliseconds; default 6000. */
  readonly takeOverMs?: number;
  /** Hears what goes wrong with a task in this process; another one may do better. */
  readonly onProblem?: (task: string, error: Error) => void;
}

/**
 * Runs tasks as one of many processes: what `createCoordinator` of `@tutti/server` takes as `coordinate`. As a gateway it serves the
 * clients of every task; as an owner it runs those whose lease it holds, with the same round code as a process that is alone.
 */
export function clusterOf(options: ClusterOptions): (engine: CoordinationOptions) => Promise<Coordination> {
  return (engine) => joinCluster(options, engine);
}

async function joinCluster(options: ClusterOptions, engine: CoordinationOptions): Promise<Coordination> {
  const { storage, roles } = options;
  const { crypto, random } = engine;
  const timing = timingOf(options.takeOverMs ?? TAKE_OVER_MS);
  const keyPair =
    engine.keyPair ??
    crypto.signKeyPairFromSeed(await storage.shared(COORDINATOR_KEY, () => random.bytes(32)));
  const secret = await storage.shared(CLUSTER_SECRET, () => random.bytes(32));
  const self = toHex(random.bytes(16)) as NodeId;
  const salt = (): string => toHex(random.bytes(16));
  const commands = connectRedis(options.redis);
  const reader = connectRedis(options.redis);
  await Promise.all([untilConnected(commands, REDIS_MS), untilConnected(reader, REDIS_MS)]);
  const name = clusterName(secret, crypto);
  const sealer = openSealer(self, secret, crypto);
  const streams = openStreams({ self, name, sealer, commands, reader });
  const bus = openBus(streams, timing);
  const parts: { owner?: Owner; gateway?: Gateway } = {};
  const traffic = trafficOf(engine);
  const members = openMembers({
    ...{ self, name, sealer, opener: openSealer(EVERYBODY, secret, crypto), commands, timing },
    card: () => ({
      roles: [...roles],
      tasks: Object.fromEntries([...(parts.owner?.tasks ?? [])].map(([task, { epoch }]) => [task, epoch])),
      ...traffic.own(),
    }),
  });
  const coordination: CoordinationOptions = { ...engine, keyPair, traffic: () => traffic.all(members) };
  if (roles.includes('owner')) {
    const onProblem = options.onProblem ?? (() => undefined);
    parts.owner = openOwner({ storage, coordination, bus, members, timing, salt, onProblem });
  }
  if (roles.includes('gateway')) parts.gateway = openGateway({ coordination, bus, members, secret });
  members.onChange((lost) => {
    for (const node of lost) bus.forget(node);
    parts.owner?.membersChanged(lost);
    parts.gateway?.membersChanged(lost);
  });
  streams.onGap((from) => {
    parts.owner?.missed(from);
    parts.gateway?.missed(from);
  });
  streams.start();
  await members.beat();
  if (parts.gateway !== undefined) await untilOwned(parts.gateway);
  const close = async (): Promise<void> => {
    await parts.owner?.close();
    await parts.gateway?.close();
    await members.close();
    bus.close();
    await streams.close();
    commands.disconnect();
  };
  return facade({ publicKey: keyPair.publicKey, ...parts, close });
}

/** Waits until every task is run by somebody; not for ever: tasks that cannot be opened say why where they are run. */
async function untilOwned(gateway: Gateway): Promise<void> {
  const deadline = performance.now() + FIRST_OWNER_MS;
  while (
    performance.now() < deadline &&
    gateway.taskNames.some((task) => gateway.taskInfo(task) === undefined)
  )
    await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Bytes of this process's clients, and of all gateways' together. Those of another process are as old as its last sign of life. */
function trafficOf({ traffic }: CoordinationOptions): {
  own(): { upBytes: number; downBytes: number };
  all(members: Members): { upBytes: number; downBytes: number };
} {
  // A process that is gone counted what it counted: sums of bytes never shrink.
  const known = new Map<NodeId, { upBytes: number; downBytes: number }>();
  const own = () => traffic?.() ?? { upBytes: 0, downBytes: 0 };
  return {
    own,
    all({ alive, self }) {
      for (const [node, { upBytes, downBytes }] of alive)
        if (node !== self) known.set(node, { upBytes, downBytes });
      return [...known.values()].reduce<{ upBytes: number; downBytes: number }>(
        (sum, one) => ({ upBytes: sum.upBytes + one.upBytes, downBytes: sum.downBytes + one.downBytes }),
        own(),
      );
    },
  };
}

/** A process of a cluster, as its sockets and its HTTP see it. One that is no gateway has no task for clients. */
function facade(parts: {
  publicKey: Uint8Array;
  owner?: Owner;
  gateway?: Gateway;
  close: () => Promise<void>;
}): Coordination {
  const { publicKey, owner, gateway, close } = parts;
  let closing: Promise<void> | undefined;
  return {
    ...(gateway ?? NO_GATEWAY),
    publicKey,
    async drain() {
      // Its attempts end, and others take its tasks over, before its clients are sent away.
      await owner?.drain();
      await gateway?.drain();
    },
    close: () => (closing ??= close()),
  };
}

const refuse = async (): Promise<never> => {
  throw new Error('this process is no gateway');
};

const NO_GATEWAY: Omit<Coordination, 'publicKey' | 'drain' | 'close'> = {
  taskNames: [],
  taskInfo: () => undefined,
  status: () => undefined,
  rounds: () => [],
  connected: () => undefined,
  disconnected: () => undefined,
  handle: refuse,
  inputAdded: refuse,
  evaluate: refuse,
  addTask: refuse,
  setRun: refuse,
  subscribe: () => () => undefined,
};
