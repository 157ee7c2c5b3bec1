import { isIPv6 } from 'node:net';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { isThisMachine } from './address.ts';
import type { Limit } from './log.ts';

/** What an address or an identity may do, and how much of it. */
export interface GateLimits {
  readonly connectionsPerAddress: number;
  readonly handshakesPerMinute: number;
  readonly requestsPerMinute: number;
  readonly messagesPerMinute: number;
}

/** Something is over a limit: which, and when to come back. */
export interface Refused {
  readonly limit: Extract<
    Limit,
    'connections-per-address' | 'handshakes' | 'requests' | 'messages' | 'requests-of-token'
  >;
  readonly retryAfterMs: number;
  readonly problem: string;
}

/** Bounds what one address or one identity can cost the others. Addresses of this machine have no limit of their own. */
export interface Gate {
  /** An HTTP request. */
  request(address: string): Promise<Refused | undefined>;
  /** A new socket; one that may come has to {@link Gate.leave}. */
  enter(address: string): Promise<Refused | undefined>;
  leave(address: string): void;
  /** A message of a client, whatever its address. */
  message(client: string): Promise<Refused | undefined>;
  /** A request with a token, whatever its address. */
  token(name: string): Promise<Refused | undefined>;
}

const MINUTE_S = 60;

/** When somebody is to come back whose address has as many sockets as it may, in milliseconds. */
const FULL_RETRY_MS = 30_000;

export function openGate(limits: GateLimits): Gate {
  const requests = new RateLimiterMemory({ points: limits.requestsPerMinute, duration: MINUTE_S });
  const handshakes = new RateLimiterMemory({ points: limits.handshakesPerMinute, duration: MINUTE_S });
  const messages = new RateLimiterMemory({ points: limits.messagesPerMinute, duration: MINUTE_S });
  const tokens = new RateLimiterMemory({ points: limits.requestsPerMinute, duration: MINUTE_S });
  const sockets = new Map<string, number>();
  return {
    request: async (address) =>
      ofAddress(requests, address, {
        limit: 'requests',
        problem: `more than ${limits.requestsPerMinute} requests in a minute from one address`,
      }),
    message: async (client) =>
      spend(messages, client, {
        limit: 'messages',
        problem: `more than ${limits.messagesPerMinute} messages in a minute of one client`,
      }),
    token: async (name) =>
      spend(tokens, name, {
        limit: 'requests-of-token',
        problem: `more than ${limits.requestsPerMinute} requests in a minute with one token`,
      }),
    async enter(address) {
      if (isThisMachine(address)) return undefined;
      const refused = await ofAddress(handshakes, address, {
        limit: 'handshakes',
        problem: `more than ${limits.handshakesPerMinute} new sockets in a minute from one address`,
      });
      if (refused !== undefined) return refused;
      const key = networkOf(address);
      const open = sockets.get(key) ?? 0;
      if (open >= limits.connectionsPerAddress)
        return {
          limit: 'connections-per-address',
          retryAfterMs: FULL_RETRY_MS,
          problem: `${open} sockets are open from one address`,
        };
      sockets.set(key, open + 1);
      return undefined;
    },
    leave(address) {
      if (isThisMachine(address)) return;
      const key = networkOf(address);
      const open = (sockets.get(key) ?? 1) - 1;
      if (open > 0) sockets.set(key, open);
      else sockets.delete(key);
    },
  };
}

const ofAddress = async (
  limiter: RateLimiterMemory,
  address: string,
  refused: Omit<Refused, 'retryAfterMs'>,
): Promise<Refused | undefined> =>
  isThisMachine(address) ? undefined : spend(limiter, networkOf(address), refused);

async function spend(
  limiter: RateLimiterMemory,
  key: string,
  refused: Omit<Refused, 'retryAfterMs'>,
): Promise<Refused | undefined> {
  try {
    await limiter.consume(key);
    return undefined;
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error;
    return { ...refused, retryAfterMs: Math.max(1_000, error.msBeforeNext) };
  }
}

/** One household or machine has a whole /64 of IPv6: its addresses count as one. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const words = [...before, ...Array<string>(zeros).fill('0'), ...after];
  return `${words
    .slice(0, 4)
    .map((word) => (Number.parseInt(word, 16) || 0).toString(16))
    .join(':')}::/64`;
}
