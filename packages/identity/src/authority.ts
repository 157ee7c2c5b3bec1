import { UsageError, wipe } from '@tutti/base';
import type { AuthorityKey, IdentityCrypto } from './crypto.ts';
import { logEntry, logHash, signTreeHead, type TreeHead } from './log.ts';
import { MerkleTree } from './merkle.ts';
import { checkWhole, LARGEST_LOG } from './numbers.ts';
import { issueToken } from './token.ts';

const SECONDS_A_DAY = 86_400;

/** Days that a token holds unless the authority says otherwise. */
export const DEFAULT_DAYS = 30;

/** Most days that a token can be asked for. */
export const MOST_DAYS = 3_660;

/** Most clients that are enrolled at once. */
export const MOST_AT_ONCE = 10_000;

/** Where an authority keeps its log: client ids in the order of their enrolment. */
export interface LogStore {
  read(): AsyncIterable<string> | Iterable<string>;
  /** Adds them at the end, all or none; durable before it resolves. */
  append(clientIds: readonly string[]): Promise<void>;
}

/** What an authority is made of. */
export interface AuthorityOptions {
  /** The authority keeps it, and wipes it when it is closed. */
  readonly key: AuthorityKey;
  readonly crypto: IdentityCrypto;
  /** Without one, tokens carry no position, and serve the level `enrolled` only. */
  readonly log?: LogStore;
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
  /** Days that a token holds; 30 by default. */
  readonly days?: number;
}

/** One client's enrolment. */
export interface Enrolment {
  readonly clientId: string;
  /** 96 bytes. */
  readonly token: Uint8Array;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  readonly logIndex?: number;
}

/** Who says which clients are devices of people: an app's login back end, never the coordinator. */
export interface Authority {
  readonly publicKey: Uint8Array;
  /**
   * Enrols a client, or renews its token; once in the log it keeps its position.
   * @throws {DecodeError} for a client id that is none, {UsageError} for days out of range.
   */
  enrol(clientId: string, options?: { readonly days?: number }): Promise<Enrolment>;
  /** The same for many, with one write to the log. */
  enrolAll(clientIds: readonly string[], options?: { readonly days?: number }): Promise<readonly Enrolment[]>;
  /** The log's signed head; undefined without a log. */
  head(): TreeHead | undefined;
  /** Up to `count` client ids from position `from` on. */
  entries(from: number, count: number): readonly string[];
  /** The path from a position to the root of the first `size` entries. */
  inclusion(index: number, size: number): readonly Uint8Array[];
  /** That the first `to` entries begin with the first `from`. */
  consistency(from: number, to: number): readonly Uint8Array[];
  /** Waits for what is being enrolled and wipes the secret key; what is asked after that is refused. */
  close(): Promise<void>;
}

/**
 * Opens an authority, reading its log.
 *
 * @throws {UsageError} when the key's halves do not belong together, or the log names a client twice.
 */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const { key, crypto, log, now = Date.now, days = DEFAULT_DAYS } = options;
  checkKey(key, crypto);
  checkWhole('days', days, 1, MOST_DAYS);
  const tree = new MerkleTree(logHash(crypto));
  const ids: string[] = [];
  const positions = new Map<string, number>();
  let signed: TreeHead | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let closed = false;

  for await (const id of log?.read() ?? []) {
    if (positions.has(id)) throw new UsageError(`the log names ${id} twice`);
    add(id);
  }

  function add(id: string): void {
    tree.append(logEntry(id));
    positions.set(id, ids.length);
    ids.push(id);
  }

  async function enrol(clientIds: readonly string[], forDays: number): Promise<readonly Enrolment[]> {
    if (closed) throw new UsageError('this authority is closed');
    if (log !== undefined) {
      const missing = [...new Set(clientIds)].filter((id) => !positions.has(id));
      if (ids.length + missing.length > LARGEST_LOG) throw new UsageError('the log is full');
      if (missing.length > 0) await log.append(missing);
      missing.forEach(add);
    }
    const expiresAt = Math.floor(now() / 1_000) + forDays * SECONDS_A_DAY;
    return clientIds.map((clientId) => {
      const at = positions.get(clientId);
      const place = at === undefined ? {} : { logIndex: at };
      return {
        clientId,
        token: issueToken({ clientId, expiresAt, ...place }, key, crypto),
        expiresAt,
        ...place,
      };
    });
  }

  /** One write after another, so that positions and the log agree. */
  function inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = queue.then(work, work);
    queue = done.catch(() => undefined);
    return done;
  }

  const authority: Authority = {
    publicKey: key.publicKey,
    async enrol(clientId, asked) {
      const [only] = await authority.enrolAll([clientId], asked);
      return only as Enrolment;
    },
    async enrolAll(clientIds, asked = {}) {
      const forDays = asked.days ?? days;
      checkWhole('days', forDays, 1, MOST_DAYS);
      checkWhole('clientIds.length', clientIds.length, 0, MOST_AT_ONCE);
      for (const id of clientIds) logEntry(id);
      return inOrder(() => enrol(clientIds, forDays));
    },
    head() {
      if (log === undefined) return undefined;
      if (closed) throw new UsageError('this authority is closed');
      if (signed?.size !== tree.size)
        signed = signTreeHead({ size: tree.size, root: tree.root() }, key, crypto);
      return signed;
    },
    entries: (from, count) => ids.slice(from, from + count),
    inclusion: (index, size) => tree.inclusion(index, size),
    consistency: (from, to) => tree.consistency(from, to),
    close: () =>
      inOrder(async () => {
        closed = true;
        wipe(key.secretKey);
      }),
  };
  return authority;
}

function checkKey(key: AuthorityKey, crypto: IdentityCrypto): void {
  const probe = crypto.digest('authority-key');
  if (!crypto.verify(probe, crypto.sign(probe, key.secretKey), key.publicKey))
    throw new UsageError('key: the secret key is not that of the public key');
}
