import type {
  CoordinationOptions,
  LeaseView,
  SharedStorage,
  TaskConfig,
  TaskLease,
} from '@tutti/coordination';
import type { Bus } from './bus.ts';
import { OutrunError } from './errors.ts';
import type { Card, Members } from './members.ts';
import { OwnedTask } from './owned-task.ts';
import type { Packet } from './packet.ts';
import type { NodeId } from './sealing.ts';
import type { Timing } from './timing.ts';
import { headOf } from './words.ts';

/** How long a task that could not be opened here is left to others, in milliseconds. */
const FAILED_MS = 10_000;

/** What runs tasks in a process. */
export interface Owner {
  /** The tasks that are run here, each with the epoch of its lease. */
  readonly tasks: ReadonlyMap<string, OwnedTask>;
  /** May run one more task, which somebody created. */
  addTask(config: TaskConfig): void;
  /** Processes have come or gone. */
  membersChanged(lost: readonly NodeId[]): void;
  /** Messages from a process, or from all, may have been lost. */
  missed(from: NodeId | undefined): void;
  /** Takes no more tasks, ends attempts that are going on, and lets its tasks go one by one. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

export interface OwnerOptions {
  readonly storage: SharedStorage;
  readonly coordination: CoordinationOptions;
  readonly bus: Bus;
  readonly members: Members;
  readonly timing: Timing;
  readonly salt: () => string;
  /** Hears what goes wrong with a task here; another process may do better. */
  readonly onProblem: (task: string, error: Error) => void;
  readonly onOwned: (task: string, change: 'taken' | 'released') => void;
}

/** A lease as it was seen last, and since when it has stood still, by this process’s own clock. */
interface Watched {
  readonly view: LeaseView;
  readonly sinceMs: number;
}

/**
 * Takes the tasks that nobody runs, and runs them. A lease that its holder has not renewed for long is taken over; by no clock but this
 * process's own, so that one that jumps takes nothing away.
 */
export function openOwner(options: OwnerOptions): Owner {
  const { storage, bus, members, timing } = options;
  const configs = new Map(options.coordination.tasks.map((config) => [config.name, config] as const));
  const tasks = new Map<string, OwnedTask>();
  const watched = new Map<string, Watched>();
  const notBefore = new Map<string, number>();
  let lookedAt = 0;
  let isTaking = true;
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looking: Promise<void> = Promise.resolve();

  answerGateways(bus, tasks);

  function lookLater(ms = timing.lookMs): void {
    if (closed) return;
    timer = setTimeout(() => {
      looking = look()
        .catch((error: unknown) => options.onProblem('', asError(error)))
        .finally(() => lookLater());
    }, ms);
  }

  async function look(): Promise<void> {
    // Others may reach what this process cannot: who takes a task must be reached through the same Redis.
    if (members.awayMs() > timing.redisLostMs) for (const name of [...tasks.keys()]) await letGo(name);
    if (!isTaking || members.awayMs() > 0) return;
    const views = new Map((await storage.look()).map((view) => [view.task, view] as const));
    const nowMs = performance.now();
    // After a pause of ours nothing is known of what others did meanwhile.
    if (nowMs - lookedAt > timing.leaseMs / 2) watched.clear();
    lookedAt = nowMs;
    for (const [name, config] of configs) {
      const view = views.get(name);
      if (tasks.has(name) || closed || (notBefore.get(name) ?? 0) > performance.now()) continue;
      if (view === undefined || view.isFree || hasLapsed(view, nowMs)) await take(config, view);
    }
  }

  function hasLapsed(view: LeaseView, nowMs: number): boolean {
    const before = watched.get(view.task);
    const isSame = before?.view.epoch === view.epoch && before.view.beats === view.beats;
    if (!isSame) watched.set(view.task, { view, sinceMs: nowMs });
    return isSame && nowMs - before.sinceMs >= timing.leaseMs;
  }

  async function take(config: TaskConfig, view: LeaseView | undefined): Promise<void> {
    const lease = await storage.take(config.name, view, followed(members, config.name)?.epoch);
    if (lease === undefined) return;
    const task = ownedTask(config, lease);
    tasks.set(config.name, task);
    options.onOwned(config.name, 'taken');
    try {
      await task.open();
      await members.beat();
    } catch (error) {
      failed(config.name, task, asError(error));
    }
  }

  function ownedTask(config: TaskConfig, lease: TaskLease): OwnedTask {
    const { coordination, salt } = options;
    const task: OwnedTask = new OwnedTask({
      ...{ config, lease, coordination, bus, timing, salt, gateways: () => gatewaysOf(members) },
      onLost: (error) => failed(config.name, task, error),
    });
    return task;
  }

  /** Whether gateways follow somebody whose lease's number is no smaller: they do not hear what is said with this one. */
  function isOutrun(name: string, { epoch }: OwnedTask): boolean {
    const other = followed(members, name);
    return other !== undefined && other.node !== members.self && other.epoch >= epoch;
  }

  /** Lets go of a task that cannot be run here. Whether its lease can be given back says the storage. */
  function failed(name: string, task: OwnedTask, error: Error, leaveMs = FAILED_MS): void {
    if (tasks.get(name) !== task) return;
    tasks.delete(name);
    notBefore.set(name, performance.now() + leaveMs);
    void task.abandon();
    options.onProblem(name, error);
    options.onOwned(name, 'released');
  }

  async function letGo(name: string): Promise<void> {
    const task = tasks.get(name);
    await task?.stop();
    if (tasks.delete(name)) options.onOwned(name, 'released');
  }

  lookLater(0);
  return {
    tasks,
    addTask: (config) => void configs.set(config.name, config),
    membersChanged(lost) {
      for (const [name, task] of tasks) {
        for (const node of lost) task.gatewayLost(node);
        task.tellNew();
        if (isOutrun(name, task)) failed(name, task, new OutrunError(name), 0);
      }
    },
    missed(from) {
      for (const task of tasks.values()) task.sync(from);
    },
    async drain() {
      isTaking = false;
      await Promise.all(
        [...tasks].map(async ([name, task]) => {
          await task.drain();
          await letGo(name);
        }),
      );
    },
    async close() {
      closed = true;
      isTaking = false;
      clearTimeout(timer);
      await Promise.all([...tasks.keys()].map(letGo));
      await looking;
      await Promise.all([...tasks.keys()].map(letGo));
    },
  };
}

/** The owner with the newest lease of a task that any gateway follows. */
const followed = ({ alive }: Members, task: string): Card['follows'][string] | undefined =>
  [...alive.values()]
    .flatMap(({ follows }) => follows[task] ?? [])
    .reduce<Card['follows'][string] | undefined>(
      (newest, one) => (newest === undefined || one.epoch > newest.epoch ? one : newest),
      undefined,
    );

const gatewaysOf = ({ alive }: Members): NodeId[] =>
  [...alive].flatMap(([node, { roles }]) => (roles.includes('gateway') ? [node] : []));

/** What gateways tell and ask an owner, each about one of its tasks. */
function answerGateways(bus: Bus, tasks: ReadonlyMap<string, OwnedTask>): void {
  const taskOf = (name: string): OwnedTask => {
    const task = tasks.get(name);
    if (task === undefined) throw new Error(`task ${name} is not run here`);
    return task;
  };
  const told = (work: () => void): undefined => {
    try {
      work();
    } catch {
      // It was told to an owner that has let go; the next one asks for it.
    }
    return undefined;
  };
  bus.on('roster', (from, { head }) =>
    told(() => {
      const roster = headOf('roster', head);
      taskOf(roster.task).roster(from, roster);
    }),
  );
  bus.on('present', (from, { head }) =>
    told(() => {
      const { task, client } = headOf('present', head);
      taskOf(task).present(from, client);
    }),
  );
  bus.on('gone', (from, { head }) =>
    told(() => {
      const { task, client } = headOf('gone', head);
      taskOf(task).gone(from, client);
    }),
  );
  bus.on('rests', (from, { head }) =>
    told(() => {
      const { task, client } = headOf('rests', head);
      taskOf(task).rests(from, client);
    }),
  );
  bus.on('client', async (from, { head, parts }): Promise<Packet> => {
    const { task, client } = headOf('client', head);
    return taskOf(task).message(from, client, parts[0]);
  });
  bus.on('upload', async (_from, { head }): Promise<Packet> => {
    const upload = headOf('upload', head);
    return taskOf(upload.task).mayUpload(upload);
  });
  bus.on('count', async (from, { head }): Promise<Packet> => {
    const count = headOf('count', head);
    return taskOf(count.task).count(from, count);
  });
  bus.on('run', async (_from, { head }): Promise<Packet> => {
    const run = headOf('run', head);
    return taskOf(run.task).setRun(run);
  });
  bus.on('channel', async (_from, { head }): Promise<Packet> => {
    const channel = headOf('channel', head);
    return taskOf(channel.task).changeChannel(channel);
  });
  bus.on('evaluate', async (_from, { head }): Promise<Packet> =>
    taskOf(headOf('evaluate', head).task).evaluate(),
  );
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
