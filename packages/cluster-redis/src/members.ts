import { DecodeError } from '@tutti/base';
import type { Redis } from 'ioredis';
import * as z from 'zod/mini';
import { nodeIdOf, type NodeId, type Sealer } from './sealing.ts';
import type { Timing } from './timing.ts';

/** What a process is for. */
export const ROLES = ['gateway', 'owner', 'worker'] as const;
export type Role = (typeof ROLES)[number];

const card = z.strictObject({
  roles: z.array(z.enum(ROLES)),
  /** The tasks that it runs, each with the epoch of its lease. */
  tasks: z.record(z.string(), z.number()),
  /** Whom it follows as a gateway: for each task the process that runs it, and the epoch of its lease. */
  follows: z.record(z.string(), z.strictObject({ node: z.string(), epoch: z.number() })),
  /** How many messages it has sent to each process: what got lost on the way is noticed by it. */
  sent: z.record(z.string(), z.number()),
  /** Bytes of clients that crossed it since it started. */
  upBytes: z.number(),
  downBytes: z.number(),
});
/** What a process says of itself. */
export type Card = z.infer<typeof card>;

/** Who is there. Each process says so to Redis, and sees the others there; nothing of it has to last. */
export interface Members {
  readonly self: NodeId;
  /** Those that live, this one included. */
  readonly alive: ReadonlyMap<NodeId, Card>;
  /** Since when Redis has not answered, in milliseconds; 0 while it does. */
  awayMs(): number;
  /** Says now, and not at the next beat, what this process is. */
  beat(): Promise<void>;
  /** Calls back after each beat; `lost` are those that have gone since the last one. */
  onChange(listener: (lost: readonly NodeId[]) => void): void;
  close(): Promise<void>;
}

/**
 * Writes the sign of life of one process, drops those that have not given one for long, and gives all. By Redis’s clock, whose jumps
 * cost nobody's life: what lies in its future was written before it jumped back, and whoever is dropped comes again with its next beat.
 */
const BEAT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do gone[#gone + 1] = id end
for _, id in ipairs(gone) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
redis.call('PEXPIRE', KEYS[1], 3600000)
redis.call('PEXPIRE', KEYS[2], 3600000)
return redis.call('HGETALL', KEYS[2])
`;

/** To whom cards are sealed. */
export const EVERYBODY = 'everybody';

export function openMembers(options: {
  readonly self: NodeId;
  readonly name: string;
  /** Seals in this process's name. */
  readonly sealer: Pick<Sealer, 'seal'>;
  /** Opens what is sealed to {@link EVERYBODY}. */
  readonly opener: Pick<Sealer, 'open'>;
  readonly commands: Redis;
  readonly timing: Timing;
  readonly card: () => Card;
}): Members {
  const { self, name, sealer, opener, commands, timing } = options;
  const keys = [`tutti:${name}:members`, `tutti:${name}:cards`];
  const alive = new Map<NodeId, Card>();
  const seenAt = new Map<NodeId, number>();
  let listener: (lost: readonly NodeId[]) => void = () => undefined;
  let number = 0;
  let closed = false;
  let wellSince = performance.now();
  let awaySince: number | undefined;
  let last: Promise<void> = Promise.resolve();

  async function beatNow(): Promise<void> {
    const plain = Buffer.from(JSON.stringify({ number: ++number, card: options.card() }));
    const sealed = Buffer.concat([numberBytes(number), sealer.seal(EVERYBODY, number, plain)]);
    try {
      const found: unknown = await commands.callBuffer('EVAL', BEAT, 2, ...keys, self, sealed, timing.lostMs);
      const now = performance.now();
      if (awaySince !== undefined) wellSince = now;
      awaySince = undefined;
      see(found, now);
    } catch {
      awaySince ??= performance.now();
    }
    if (!closed) listener(dropLost());
  }

  function see(found: unknown, now: number): void {
    if (!Array.isArray(found)) return;
    for (let i = 0; i + 1 < found.length; i += 2) {
      const [id, bytes] = [found[i] as Buffer, found[i + 1] as Buffer];
      const shown = cardOf(id.toString(), bytes, opener);
      if (shown === undefined) continue;
      alive.set(shown.node, shown.card);
      seenAt.set(shown.node, now);
    }
  }

  /** A process is gone when it was not seen for long, and Redis was there to show it. */
  function dropLost(): NodeId[] {
    const now = performance.now();
    const lost = [...alive.keys()].filter((node) => {
      const silentMs = now - Math.max(seenAt.get(node) ?? 0, wellSince);
      return node !== self && awaySince === undefined && silentMs > timing.lostMs;
    });
    for (const node of lost) {
      alive.delete(node);
      seenAt.delete(node);
    }
    return lost;
  }

  const beat = (): Promise<void> => (last = last.then(beatNow));
  const timer = setInterval(() => void beat(), timing.beatMs);
  return {
    self,
    alive,
    awayMs: () => (awaySince === undefined ? 0 : performance.now() - awaySince),
    beat,
    onChange: (heard) => void (listener = heard),
    async close() {
      closed = true;
      clearInterval(timer);
      await last;
      const [members = '', cards = ''] = keys;
      await Promise.allSettled([commands.zrem(members, self), commands.hdel(cards, self)]);
    },
  };
}

function numberBytes(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes;
}

/** A card, where it is one of a process of this cluster. */
function cardOf(
  id: string,
  bytes: Buffer,
  opener: Pick<Sealer, 'open'>,
): { node: NodeId; card: Card } | undefined {
  try {
    const node = nodeIdOf(id);
    const number = Number(bytes.readBigUInt64LE(0));
    const plain = opener.open(node, number, bytes.subarray(8));
    if (plain === undefined) return undefined;
    const shown = z.object({ card }).parse(JSON.parse(Buffer.from(plain).toString()));
    return { node, card: shown.card };
  } catch (error) {
    if (error instanceof DecodeError || error instanceof z.core.$ZodError || error instanceof RangeError)
      return undefined;
    throw error;
  }
}
