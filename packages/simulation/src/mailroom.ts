import { InternalError } from '@tutti/base';
import type { Coordination, GroupSums, Outbox, Traffic } from '@tutti/coordination';
import { encodeMessage, type ClientMessage, type CoordinatorMessage } from '@tutti/protocol';
import { addInto, type ClientId } from '@tutti/secure-aggregation';
import type { DevicePool } from './device-pool.ts';
import type { Answer, Delivery, GroupKey } from './thread.ts';

/**
 * Messages handed to a thread in one go at most: large enough to be cheap, small enough for a moving progress bar. Devices that are
 * told one and the same share it in a batch: it crosses to the thread once.
 */
const BATCH = 128;
/** The least, where fewer wait: so that answers are passed on while the thread works, too. */
const SMALL_BATCH = 16;

/** Batches that a thread has at a time: it works on one while the answers to another are passed on. */
const IN_FLIGHT = 4;

/** How often whoever waits for quiet hears how far it is, in milliseconds. */
const PROGRESS_MS = 20;

/** Carries messages between the coordination engine and the devices in threads, and knows when nothing is on its way. */
export interface Mailroom {
  readonly outbox: Outbox;
  readonly sums: GroupSums;
  readonly traffic: () => Traffic;
  /** Makes the ids of `users`, which takes a while: best done while threads start. */
  introduce(users: readonly number[]): void;
  start(pool: DevicePool, coordination: Coordination): void;
  /** Connects `users` and lets them check in. */
  checkIn(task: string, users: readonly number[]): Promise<void>;
  /** Resolves when no delivery and no answer is on its way; reports the share of deliveries answered meanwhile. */
  quiet(onShare: (share: number) => void): Promise<void>;
  idle(): boolean;
}

/** A mailroom for `users` devices whose checkpoints hold `parameters` float32 numbers. */
export function openMailroom(
  users: number,
  parameters: number,
  idOfUser: (user: number) => ClientId,
): Mailroom {
  const userOf = new Map<ClientId, number>();
  const idOf = new Map<number, ClientId>();
  const traffic = { upBytes: 0, downBytes: 0 };
  const queues: Delivery[][] = [];
  const connected = new Set<number>();
  let pool: DevicePool | undefined;
  let coordination: Coordination | undefined;
  let onItsWay = 0;
  let sent = 0;
  let answered = 0;
  let failure: unknown;
  let wake = (): void => undefined;

  const idFor = (user: number): ClientId => {
    const known = idOf.get(user);
    if (known !== undefined) return known;
    const id = idOfUser(user);
    idOf.set(user, id);
    userOf.set(id, user);
    return id;
  };

  const pumps: number[] = [];
  async function pump(thread: number): Promise<void> {
    const running = pumps[thread] ?? 0;
    if (running === IN_FLIGHT || pool === undefined) return;
    pumps[thread] = running + 1;
    try {
      for (let batch = nextBatch(thread); batch.length > 0; batch = nextBatch(thread)) {
        const results = await pool.ask<'deliver'>(thread, { kind: 'deliver', deliveries: batch });
        for (const { user, answers } of results) for (const answer of answers) await pass(user, answer);
        answered += batch.length;
        onItsWay -= batch.length;
      }
    } catch (error) {
      failure ??= error;
    } finally {
      pumps[thread] = pumps[thread] - 1;
      if (onItsWay === 0 || failure !== undefined) wake();
    }
  }

  const aboutToPump = new Set<number>();
  /** Once for all that is sent before it comes to that. */
  function pumpSoon(thread: number): void {
    if (aboutToPump.has(thread)) return;
    aboutToPump.add(thread);
    setImmediate(() => {
      aboutToPump.delete(thread);
      for (let batch = 0; batch < IN_FLIGHT; batch++) void pump(thread);
    });
  }

  /** A share of what waits for a thread. */
  function nextBatch(thread: number): Delivery[] {
    const waiting = queues[thread] ?? [];
    return waiting.splice(0, Math.min(BATCH, Math.max(SMALL_BATCH, Math.ceil(waiting.length / IN_FLIGHT))));
  }

  /** Until nothing is on its way, or for some milliseconds. */
  const quietOrSoon = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, PROGRESS_MS);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function pass(user: number, answer: Answer): Promise<void> {
    const engine = coordination as Coordination;
    const id = idFor(user);
    if (answer.type === 'input-added') {
      traffic.upBytes += answer.bytes;
      await engine.inputAdded(id, answer.attempt);
      return;
    }
    traffic.upBytes += lengthOf(answer);
    await engine.handle(id, answer);
  }

  const outbox: Outbox = {
    send(client, message) {
      const user = userOf.get(client);
      if (user === undefined || pool === undefined) return;
      traffic.downBytes += lengthOf(message) + downloadOf(message, parameters);
      if (message.type === 'outcome') return;
      const thread = user % pool.size;
      (queues[thread] ??= []).push({ user, message });
      onItsWay++;
      sent++;
      pumpSoon(thread);
    },
  };

  /** Many devices are often told, or say, one and the same. */
  const lengths = new WeakMap<CoordinatorMessage | ClientMessage, number>();
  function lengthOf(message: CoordinatorMessage | ClientMessage): number {
    const known = lengths.get(message);
    if (known !== undefined) return known;
    const { length } = encodeMessage(message);
    lengths.set(message, length);
    return length;
  }

  return {
    outbox,
    sums: threadSums(() => pool),
    traffic: () => ({ ...traffic }),
    introduce(people) {
      for (const user of people) idFor(user);
    },
    start(threads, engine) {
      pool = threads;
      coordination = engine;
    },
    async checkIn(task, people) {
      const engine = coordination as Coordination;
      if (pool?.keep !== undefined) {
        await this.quiet(() => undefined);
        await pool.keep();
      }
      sent = answered = 0;
      const coming = new Set(people);
      for (const user of connected) if (!coming.has(user)) engine.disconnected(idFor(user));
      connected.clear();
      for (const user of people) {
        connected.add(user);
        engine.connected(task, idFor(user));
      }
      for (const user of people) await engine.handle(idFor(user), { type: 'check-in' });
    },
    async quiet(onShare) {
      while (onItsWay > 0) {
        if (failure !== undefined)
          throw failure instanceof Error ? failure : new InternalError('a simulated device failed');
        onShare(sent === 0 ? 0 : answered / sent);
        await quietOrSoon();
      }
      if (failure !== undefined)
        throw failure instanceof Error ? failure : new InternalError('a simulated device failed');
    },
    idle: () => onItsWay === 0,
  };
}

/** Bytes that a device fetches because of a message: a round's slice, or its checkpoint. */
function downloadOf(message: CoordinatorMessage, parameters: number): number {
  if (message.type !== 'describe') return 0;
  return message.description.slice?.bytes ?? 4 * parameters;
}

/** Sums that are asked for before they are taken, so that threads hand over the next while one is added. */
const AHEAD = 4;

/** Running sums that live in the threads: each adds its own devices' inputs, and a group's sum is the sum of theirs. */
function threadSums(pool: () => DevicePool | undefined): GroupSums {
  const opened = new Map<string, { key: GroupKey; words: number }>();
  const asked = new Map<string, Promise<readonly (Uint32Array | undefined)[]>>();
  const name = (key: GroupKey): string => `${key.attempt}/${key.group}`;
  const ask = (key: GroupKey): Promise<readonly (Uint32Array | undefined)[]> => {
    const known = asked.get(name(key));
    if (known !== undefined) return known;
    const threads = pool();
    const parts = Array.from({ length: threads?.size ?? 0 }, (_, thread) =>
      (threads as DevicePool).ask<'take-sum'>(thread, { kind: 'take-sum', key }),
    );
    const all = Promise.all(parts);
    // Whoever takes the sum hears of a thread that failed.
    all.catch(() => undefined);
    asked.set(name(key), all);
    return all;
  };
  const forget = (key: GroupKey): void => {
    opened.delete(name(key));
    asked.delete(name(key));
  };
  return {
    open(key, words) {
      opened.set(name(key), { key, words });
    },
    add() {
      throw new InternalError('simulated inputs are added in their threads');
    },
    async take(key) {
      const parts = ask(key);
      const next = [...opened.values()].filter(({ key: { attempt } }) => attempt === key.attempt);
      for (const { key: other } of next.slice(0, 1 + AHEAD)) void ask(other);
      const words = opened.get(name(key))?.words ?? 0;
      const [first, ...others] = (await parts).filter((part) => part !== undefined);
      const sum = first ?? new Uint32Array(words);
      for (const part of others) addInto(sum, part);
      forget(key);
      return sum;
    },
    discard(key) {
      void ask(key);
      forget(key);
    },
  };
}
