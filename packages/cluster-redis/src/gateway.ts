import { UsageError } from '@tutti/base';
import {
  openAnnouncer,
  type Coordination,
  type CoordinationOptions,
  type Registry,
  type TaskConfig,
} from '@tutti/coordination';
import type { Reply } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import type { Bus } from './bus.ts';
import { gatewayRegistry } from './gateway-registry.ts';
import { answerOwners, GatewayTask } from './gateway-task.ts';
import type { Card, Members } from './members.ts';
import { addPadsInPlace } from './pads.ts';
import type { NodeId } from './sealing.ts';

/** How often a gateway that is about to stop looks whether its inputs were taken, in milliseconds. */
const LOOK_MS = 50;

/** What sockets and HTTP talk to: every task, whoever runs it. */
export interface Gateway extends Omit<Coordination, 'publicKey' | 'addTask'> {
  /** Serves one more task, which somebody created. */
  addTask(config: Pick<TaskConfig, 'name' | 'promotion'>): void;
  /** The process that runs each task, as far as this gateway has heard. */
  follows(): Card['follows'];
  /** Clients that are in no attempt are to go to another gateway. */
  turnAway(): void;
  membersChanged(lost: readonly NodeId[]): void;
  /** Messages from a process, or from all, may have been lost. */
  missed(from: NodeId | undefined): void;
}

export interface GatewayOptions {
  readonly coordination: CoordinationOptions;
  readonly bus: Bus;
  readonly members: Members;
  readonly secret: Uint8Array;
}

/** Serves the clients of every task. */
export function openGateway({ coordination, bus, members, secret }: GatewayOptions): Gateway {
  const { crypto, outbox, store, clock, halfOpenUploads } = coordination;
  const bounds = {
    nowMs: () => clock.now(),
    ...(halfOpenUploads === undefined ? {} : { halfOpenUploads }),
  };
  const { emit, subscribe, settled } = openAnnouncer();
  const tasks = new Map<string, GatewayTask>();
  const registries = new Map<string, Registry>();
  function serve(config: Pick<TaskConfig, 'name' | 'promotion'>): void {
    const { name } = config;
    const task = new GatewayTask({ name, bus, outbox, store, bounds, emit });
    tasks.set(name, task);
    const { keyPair } = coordination;
    if (keyPair !== undefined) registries.set(name, gatewayRegistry(config, task, coordination, keyPair));
  }
  for (const config of coordination.tasks) serve(config);
  const taskOf = new Map<ClientId, GatewayTask>();
  answerOwners(bus, tasks, (part, { salt, gateways }) =>
    addPadsInPlace(part, { self: bus.self, gateways, salt, secret, crypto }),
  );

  function named(name: string): GatewayTask {
    const task = tasks.get(name);
    if (task === undefined) throw new UsageError(`there is no task ${name}`);
    return task;
  }

  /** Follows the process with the newest lease. */
  function follow(): void {
    for (const [node, card] of members.alive)
      for (const [task, epoch] of Object.entries(card.tasks)) tasks.get(task)?.isFrom(node, epoch);
  }

  return {
    get taskNames() {
      return [...tasks.keys()];
    },
    taskInfo: (task) => tasks.get(task)?.view.info,
    status: (task) => tasks.get(task)?.view.status,
    rounds: (task) => tasks.get(task)?.view.rounds ?? [],
    connected(name, client) {
      settled();
      const task = named(name);
      taskOf.set(client, task);
      task.connected(client);
    },
    disconnected(client) {
      taskOf.get(client)?.disconnected(client);
      taskOf.delete(client);
    },
    handle: async (client, message) => taskOf.get(client)?.handle(client, message) ?? NOT_GREETED,
    inputAdded: async () => NOT_GREETED,
    evaluate: async (name) => named(name).evaluate(),
    registry: (name) => registries.get(name),
    setRun: async (name, run, by) => named(name).setRun(run, by),
    addTask: (config) => {
      serve(config);
      follow();
      emit({ type: 'task-opened', task: config.name });
    },
    subscribe,
    follows: () =>
      Object.fromEntries(
        [...tasks].flatMap(([name, { owner }]) => (owner === undefined ? [] : [[name, owner]])),
      ),
    turnAway() {
      for (const task of tasks.values()) task.turnAway();
    },
    async drain() {
      while ([...tasks.values()].some(({ inputs }) => !inputs.isEmpty))
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    },
    async close() {
      for (const { inputs } of tasks.values()) inputs.dropBefore();
    },
    membersChanged(lost) {
      for (const node of lost) {
        bus.forget(node);
        for (const task of tasks.values()) task.ownerLost(node);
      }
      follow();
    },
    missed() {
      for (const task of tasks.values()) task.sync();
    },
  };
}

const NOT_GREETED: Reply = {
  type: 'refused',
  reason: 'not-greeted',
  field: 'client',
  problem: 'this client is not connected to a task',
};
