import { toHex } from '@tutti/base';
import { COORDINATOR_KEY, type Coordination, type CoordinationOptions } from '@tutti/coordination';
import { localUnmasker } from '@tutti/secure-aggregation';
import { connectCluster, type ClusterOptions, type Connection } from './connection.ts';
import { openGateway, type Gateway } from './gateway.ts';
import type { Members } from './members.ts';
import { openOwner, type Owner } from './owner.ts';
import type { NodeId } from './sealing.ts';
import { followCreated } from './created.ts';
import { unmaskByJobs, type JobsUnmasker } from './unmask-jobs.ts';

/** How long a gateway waits at its start for tasks to have an owner, in milliseconds; it goes on without. */
const FIRST_OWNER_MS = 15_000;

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
  const keyPair =
    engine.keyPair ??
    crypto.signKeyPairFromSeed(await storage.shared(COORDINATOR_KEY, () => random.bytes(32)));
  const salt = (): string => toHex(random.bytes(16));
  const parts: { owner?: Owner; gateway?: Gateway; jobs?: JobsUnmasker } = {};
  const traffic = trafficOf(engine);
  const connection: Connection = await connectCluster(options, engine, () => ({
    roles: [...roles],
    tasks: Object.fromEntries([...(parts.owner?.tasks ?? [])].map(([task, { epoch }]) => [task, epoch])),
    follows: parts.gateway?.follows() ?? {},
    sent: Object.fromEntries(
      Object.entries(streams.sent()).filter(([node]) => members.alive.has(node as NodeId)),
    ),
    ...traffic.own(),
  }));
  const { bus, members, streams, timing, secret } = connection;
  const coordination: CoordinationOptions = { ...engine, keyPair, traffic: () => traffic.all(members) };
  if (roles.includes('owner')) {
    const unmasker = engine.unmasker ?? localUnmasker(crypto);
    parts.jobs = unmaskByJobs({ connection, redis: options.redis, fallback: unmasker, id: salt });
    const { jobs } = parts;
    const { onProblem = () => undefined, onOwned = () => undefined } = options;
    parts.owner = openOwner({
      storage,
      coordination: { ...coordination, unmasker: jobs },
      bus,
      members,
      timing,
      salt,
      onProblem,
      onOwned,
    });
  }
  if (roles.includes('gateway')) parts.gateway = openGateway({ coordination, bus, members, secret });
  members.onChange((lost) => {
    for (const node of lost) bus.forget(node);
    parts.owner?.membersChanged(lost);
    parts.gateway?.membersChanged(lost);
    for (const [node, { sent }] of members.alive)
      streams.expect(node, sent[members.self] ?? 0, timing.lostMs);
  });
  streams.onGap((from) => {
    parts.owner?.missed(from);
    parts.gateway?.missed(from);
  });
  streams.start();
  await members.beat();
  const created = followCreated(options, engine, timing, (config) => {
    parts.owner?.addTask(config);
    parts.gateway?.addTask(config);
  });
  if (parts.gateway !== undefined) await untilOwned(parts.gateway);
  const close = async (): Promise<void> => {
    await created.close();
    await parts.owner?.close();
    await parts.gateway?.close();
    await parts.jobs?.close();
    await connection.close();
  };
  const { gateway } = parts;
  const addTask: Coordination['addTask'] = async (config, keep) => {
    await created.create(config.name, keep);
    if (gateway !== undefined) await untilOwned(gateway, [config.name]);
  };
  const problem = (): string | undefined => {
    const away = members.awayMs() > timing.leaseMs ? 'Redis' : undefined;
    const silent = away ?? (created.awayMs() > timing.leaseMs ? 'the database' : undefined);
    return silent && `${silent} does not answer; it goes on by itself once it does`;
  };
  return facade({ publicKey: keyPair.publicKey, ...parts, addTask, problem, close });
}

/** Waits until every task is run by somebody; not for ever: tasks that cannot be opened say why where they are run. */
async function untilOwned(gateway: Gateway, tasks?: readonly string[]): Promise<void> {
  const deadline = performance.now() + FIRST_OWNER_MS;
  while (
    performance.now() < deadline &&
    (tasks ?? gateway.taskNames).some((task) => gateway.taskInfo(task) === undefined)
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
  addTask: Coordination['addTask'];
  problem: () => string | undefined;
  close: () => Promise<void>;
}): Coordination {
  const { publicKey, owner, gateway, addTask, problem, close } = parts;
  let closing: Promise<void> | undefined;
  return {
    ...(gateway ?? NO_GATEWAY),
    get taskNames() {
      return gateway?.taskNames ?? [];
    },
    publicKey,
    addTask: gateway === undefined ? refuse : addTask,
    problem,
    async drain() {
      // Nobody here is asked any more; attempts end, others take the tasks over, and what was counted here is taken.
      gateway?.turnAway();
      await owner?.drain();
      await gateway?.drain();
    },
    close: () => (closing ??= close()),
  };
}

const refuse = async (): Promise<never> => {
  throw new Error('this process is no gateway');
};

const NO_GATEWAY: Omit<Coordination, 'publicKey' | 'drain' | 'close' | 'addTask'> = {
  taskNames: [],
  taskInfo: () => undefined,
  status: () => undefined,
  rounds: () => [],
  registry: () => undefined,
  connected: () => undefined,
  disconnected: () => undefined,
  handle: refuse,
  inputAdded: refuse,
  evaluate: refuse,
  setRun: refuse,
  subscribe: () => () => undefined,
};
