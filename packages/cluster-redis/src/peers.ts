import { connectWith, type Primitives } from './connection.ts';
import { openJobs, type Jobs } from './jobs.ts';
import type { Packet } from './packet.ts';
import { nodeIdOf, type NodeId } from './sealing.ts';

/** What a process needs to reach others of no cluster, which have the same secret. */
export interface PeersOptions extends Primitives {
  /** `redis://[user:password@]host:6379[/n]`. */
  readonly redis: string;
  /** 32 bytes: whoever has other ones is not met. */
  readonly secret: Uint8Array;
  /** Whether this process does work for others. */
  readonly isHost: boolean;
  /** After two thirds of it without a sign of life a process counts as gone, in milliseconds; default 6000. */
  readonly takeOverMs?: number;
}

/** Processes that ask each other over Redis; what `simulate` of `@tutti/simulation` takes as the peers of its hosts. */
export interface RedisPeers {
  /** How others name this one. */
  readonly self: string;
  /** Those that do work for others. */
  hosts(): readonly string[];
  onLost(listener: (lost: readonly string[]) => void): void;
  /** Since when Redis has not answered, in milliseconds; 0 while it does. */
  awayMs(): number;
  /** One answers a kind of message at a time: the last. What it keeps of the parts it copies. */
  on(kind: string, answer: (from: string, packet: Packet) => Promise<Packet> | Packet): void;
  /** @throws {NoAnswerError} after some seconds. @throws {AnsweredNoError} */
  ask(to: string, kind: string, packet: Packet): Promise<Packet>;
  /** Jobs of a kind, which any of them may do. */
  jobs(kind: string): Jobs;
  close(): Promise<void>;
}

/**
 * Meets the processes that have the same secret, at the same Redis, sealed as the processes of a cluster are. Nothing has to last there.
 * @throws {RedisUnavailableError}
 */
export async function openPeers(options: PeersOptions): Promise<RedisPeers> {
  const { isHost } = options;
  const card = {
    roles: isHost ? ['worker' as const] : [],
    tasks: {},
    follows: {},
    sent: {},
    upBytes: 0,
    downBytes: 0,
  };
  const connection = await connectWith(options, options, () => card);
  const { bus, members, streams, self, name, timing } = connection;
  let listener: (lost: readonly NodeId[]) => void = () => undefined;
  members.onChange((lost) => {
    for (const node of lost) bus.forget(node);
    if (lost.length > 0) listener(lost);
  });
  streams.start();
  await members.beat();
  return {
    self,
    hosts: () =>
      [...members.alive].flatMap(([node, { roles }]) =>
        roles.includes('worker') && node !== self ? [node] : [],
      ),
    onLost: (heard) => void (listener = heard),
    awayMs: () => members.awayMs(),
    on: (kind, answer) => bus.on(kind, answer),
    ask: async (to, kind, packet) => bus.ask(nodeIdOf(to), kind, packet),
    jobs: (kind) =>
      openJobs({ redis: options.redis, queue: `tutti-${name}-${kind}`, lockMs: timing.leaseMs / 2 }),
    close: () => connection.close(),
  };
}
