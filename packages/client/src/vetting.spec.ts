import { fromHex, systemRandom, toHex } from '@tutti/base';
import {
  createAuthority,
  encodeProof,
  IdentityError,
  issueToken,
  type Authority,
  type TreeHead,
} from '@tutti/identity';
import type { RoundDescription } from '@tutti/protocol';
import {
  advertiseKeys,
  clientIdOf,
  decodeKeyBundle,
  type KeyPair,
  type Member,
  type RoundDigest,
} from '@tutti/secure-aggregation';
import { nodeCrypto as crypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it, vi } from 'vitest';
import { memoryClientStore } from './memory-store.ts';
import { DEFAULT_POLICY, type Policy } from './policy.ts';
import type { ClientStore, LogProofs, TokenSource } from './ports.ts';
import { Vetting } from './vetting.ts';

const DAY = 86_400;
const NOW = 1_700_000_000;
const random = systemRandom();
const keyOf = (byte: number): KeyPair => crypto.signKeyPairFromSeed(new Uint8Array(32).fill(byte));
const AUTHORITY = keyOf(7);
const authority = toHex(AUTHORITY.publicKey);

/** An authority whose log is in memory. */
async function opened(ids: readonly string[] = []): Promise<Authority> {
  const log = { read: () => [], append: async () => undefined };
  const made = await createAuthority({ key: keyOf(7), crypto, log, now: () => NOW * 1_000 });
  await made.enrolAll(ids);
  return made;
}

const proofsOf = (from: Authority): LogProofs => ({
  consistency: async (before, after) => encodeProof(from.consistency(before, after)),
  inclusion: async (indexes, size) => indexes.map((at) => encodeProof(from.inclusion(at, size))),
});

/** What a description says, as far as vetting reads it. */
const described = (identity: RoundDescription['identity']): RoundDescription =>
  ({
    identity,
    deadlinesMs: { train: 60_000, revealNonces: 10_000, shareKeys: 10_000 },
  }) as RoundDescription;

const enrolled = described({ level: 'enrolled', authority });
const transparent = (log: TreeHead): RoundDescription =>
  described({ level: 'transparent', authority, log: { ...log } });

interface Setup {
  readonly store?: ClientStore;
  readonly token?: TokenSource;
  readonly logProofs?: LogProofs;
  readonly policy?: Partial<Policy>;
  readonly now?: () => number;
}

const self = crypto.signKeyPair(random);
const selfId = clientIdOf(self.publicKey, crypto);

function vettingOf({ store = memoryClientStore(), policy, now = () => NOW, ...ports }: Setup = {}): Vetting {
  return new Vetting({
    identity: self,
    crypto,
    store,
    policy: { ...DEFAULT_POLICY, authorities: [authority], ...policy },
    nowMs: () => now() * 1_000,
    ...ports,
  });
}

/** A member of a roster that shows this token. */
function memberOf(
  token?: (id: string) => Uint8Array,
  identity: KeyPair = crypto.signKeyPair(random),
): Member {
  const id = clientIdOf(identity.publicKey, crypto);
  const roundDigest = new Uint8Array(32) as RoundDigest;
  const shown = token === undefined ? {} : { token: token(id) };
  const { bundle: bytes } = advertiseKeys({ roundDigest, identity, random, crypto, ...shown });
  return { id, bundle: decodeKeyBundle(bytes), bytes };
}

async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'accepted';
  } catch (error) {
    if (error instanceof IdentityError) return error.reason;
    throw error;
  }
}

const until =
  (days: number, logIndex?: number, by = AUTHORITY) =>
  (clientId: string) =>
    issueToken(
      { clientId, expiresAt: NOW + days * DAY, ...(logIndex === undefined ? {} : { logIndex }) },
      by,
      crypto,
    );

describe('the own token', () => {
  it('is shown where the level asks for one', async () => {
    const token = until(30)(selfId);
    const vetting = vettingOf({ token: async () => token });
    expect(await vetting.enter(described({ level: 'open' }))).toBeUndefined();
    expect(await vetting.enter(described({ level: 'pinned' }))).toBeUndefined();
    expect(await vetting.enter(enrolled)).toEqual(token);
  });

  it('is asked for once, kept, and renewed a day before it ends', async () => {
    let now = NOW;
    const store = memoryClientStore();
    const token = vi.fn(async ({ clientId }: { clientId: string; authority: string }) =>
      issueToken({ clientId, expiresAt: now + 30 * DAY }, AUTHORITY, crypto),
    );
    const first = await vettingOf({ store, token }).enter(enrolled);
    const again = vettingOf({ store, token, now: () => now });
    now = NOW + 28 * DAY;
    expect(await again.enter(enrolled)).toEqual(first);
    expect(token.mock.calls).toEqual([[{ clientId: selfId, authority }]]);
    now = NOW + 29 * DAY;
    expect(await again.enter(enrolled)).not.toEqual(first);
    expect(token).toHaveBeenCalledTimes(2);
  });

  it('still serves while there is nobody to renew it, until it would end within the attempt', async () => {
    let now = NOW;
    const store = memoryClientStore();
    await vettingOf({ store, token: async () => until(30)(selfId) }).enter(enrolled);
    const down = vi.fn(() => Promise.reject(new Error('the back end is down')));
    for (const ports of [{ token: down }, {}]) {
      const later = vettingOf({ store, now: () => now, ...ports });
      // 80 seconds of the attempt and ten minutes between clocks.
      now = NOW + 30 * DAY - 681;
      expect(await reasonOf(later.enter(enrolled))).toBe('accepted');
      now = NOW + 30 * DAY - 680;
      expect(await reasonOf(later.enter(enrolled))).toBe('token-expired');
    }
    expect(down).toHaveBeenCalledTimes(2);
  });

  it.each<[string, Setup]>([
    ['token-missing', {}],
    ['token-missing', { token: () => Promise.reject(new Error('not logged in')) }],
    ['token-missing', { token: async () => new Uint8Array(96) }],
    ['token-malformed', { token: async () => new Uint8Array(95).fill(1) }],
    ['token-expired', { token: async () => until(-1)(selfId) }],
    ['token-forged', { token: async () => until(30)('00'.repeat(16)) }],
    ['token-wrong-authority', { token: async () => until(30, 0, keyOf(8))(selfId) }],
  ])('%s ends it before training (%#), and is not kept', async (reason, setup) => {
    const store = memoryClientStore();
    expect(await reasonOf(vettingOf({ ...setup, store }).enter(enrolled))).toBe(reason);
    expect(await store.get('token')).toBeUndefined();
  });

  it('is fetched anew when the task names another authority that the app trusts', async () => {
    const store = memoryClientStore();
    const other = keyOf(8);
    const token: TokenSource = async (wanted) =>
      until(30, undefined, wanted.authority === authority ? AUTHORITY : other)(wanted.clientId);
    const vetting = vettingOf({ store, token });
    await vetting.enter(enrolled);
    const next = described({ level: 'enrolled', authority: toHex(other.publicKey) });
    expect(await vetting.enter(next)).toEqual(until(30, undefined, other)(selfId));
  });
});

describe('the others, enrolled', () => {
  const others = Array.from({ length: 5 }, () => memberOf(until(30)));

  it('are accepted when each shows a token', async () => {
    expect(await reasonOf(vettingOf().vet(enrolled, others))).toBe('accepted');
  });

  it.each<[string, Member]>([
    ['token-missing', memberOf()],
    ['token-expired', memberOf(until(-1))],
    ['token-forged', memberOf(() => others[0]!.bundle.token)],
    ['token-wrong-authority', memberOf(until(30, undefined, keyOf(8)))],
    ['token-malformed', memberOf(() => new Uint8Array(96).fill(9))],
  ])('%s: one member is enough', async (reason, stranger) => {
    expect(await reasonOf(vettingOf().vet(enrolled, [...others, stranger]))).toBe(reason);
    expect(await reasonOf(vettingOf().vet(described({ level: 'open' }), [...others, stranger]))).toBe(
      'accepted',
    );
  });

  it('a coordinator that invents everybody else is refused', async () => {
    const invented = Array.from({ length: 30 }, () => memberOf());
    expect(await reasonOf(vettingOf().vet(enrolled, invented))).toBe('token-missing');
  });
});

describe('the others, in the log', () => {
  const keys = Array.from({ length: 6 }, () => crypto.signKeyPair(random));
  const ids = keys.map(({ publicKey }) => clientIdOf(publicKey, crypto));

  async function logged(): Promise<{ log: Authority; head: TreeHead; members: Member[] }> {
    const log = await opened(ids);
    const members = keys.map((identity, at) => memberOf(until(30, at), identity));
    return { log, head: log.head()!, members };
  }

  it('are accepted when each is shown to stand there', async () => {
    const { log, head, members } = await logged();
    const vetting = vettingOf({ logProofs: proofsOf(log) });
    expect(await reasonOf(vetting.vet(transparent(head), members))).toBe('accepted');
  });

  it('not-in-log: the authority enrolled a client in secret', async () => {
    const { log, head, members } = await logged();
    const vetting = vettingOf({ logProofs: proofsOf(log) });
    for (const index of [2, 6, undefined]) {
      const secret = memberOf(until(30, index));
      expect(await reasonOf(vetting.vet(transparent(head), [...members, secret]))).toBe('not-in-log');
    }
  });

  it('log-unproven: there is nobody to ask, or what comes is no proof', async () => {
    const { head, members } = await logged();
    const given = (logProofs?: LogProofs): Promise<string> =>
      reasonOf(vettingOf(logProofs === undefined ? {} : { logProofs }).vet(transparent(head), members));
    const nothing: LogProofs = { consistency: async () => new Uint8Array(0), inclusion: async () => [] };
    expect(await given()).toBe('log-unproven');
    expect(await given({ ...nothing, inclusion: () => Promise.reject(new Error('down')) })).toBe(
      'log-unproven',
    );
    expect(await given({ ...nothing, inclusion: async () => members.map(() => new Uint8Array(31)) })).toBe(
      'log-unproven',
    );
    expect(await given(nothing)).toBe('not-in-log');
  });

  it('this device itself waits until a head holds it', async () => {
    const { log, head } = await logged();
    const token = async (): Promise<Uint8Array> => (await log.enrol(selfId)).token;
    const vetting = vettingOf({ token, logProofs: proofsOf(log) });
    expect(await reasonOf(vetting.enter(transparent(head)))).toBe('not-in-log');
    expect(await reasonOf(vetting.enter(transparent(log.head()!)))).toBe('accepted');
  });
});

describe("the authority's log, over the rounds", () => {
  const token: TokenSource = async () => until(30, 0)(selfId);
  const people = Array.from({ length: 9 }, (_, at) => `${at}`.repeat(32));

  it('may grow and stand still', async () => {
    const store = memoryClientStore();
    const log = await opened([selfId]);
    for (const id of [undefined, ...people, undefined]) {
      if (id !== undefined) await log.enrol(id);
      const vetting = vettingOf({ store, token, logProofs: proofsOf(log) });
      expect(await reasonOf(vetting.enter(transparent(log.head()!)))).toBe('accepted');
    }
  });

  it('is refused by name for everything else, also after a restart', async () => {
    const store = memoryClientStore();
    const log = await opened([selfId, ...people.slice(0, 5)]);
    const before = log.head()!;
    const enter = (head: TreeHead, from = log, ports: Setup = {}): Promise<string> =>
      reasonOf(vettingOf({ store, token, logProofs: proofsOf(from), ...ports }).enter(transparent(head)));
    await log.enrolAll(people.slice(5, 7));
    const seen = log.head()!;
    expect(await enter({ ...seen, size: seen.size + 1 })).toBe('log-head-forged');
    expect(await enter(seen)).toBe('accepted');
    expect(await enter(before)).toBe('log-went-back');

    // The authority signs another history for somebody else: as long, or longer.
    const fork = await opened([selfId, ...people.slice(0, 6), 'f'.repeat(32)]);
    expect(fork.head()!.size).toBe(seen.size);
    expect(await enter(fork.head()!, fork)).toBe('log-forked');
    await fork.enrolAll(people.slice(6));
    expect(await enter(fork.head()!, fork)).toBe('log-forked');

    await log.enrolAll(people);
    const down = { consistency: () => Promise.reject(new Error('down')), inclusion: async () => [] };
    expect(await enter(log.head()!, log, { logProofs: down })).toBe('log-unproven');
    expect(await enter(log.head()!)).toBe('accepted');
  });
});

describe('acquaintances', () => {
  const pinned = described({ level: 'pinned' });
  const policy = { knownShare: 0.5, knownEnough: 10, knownAfterDays: 7 };
  const crowd = (count: number): Member[] => Array.from({ length: count }, () => memberOf());

  it('must be half of a group, once enough were met long enough ago', async () => {
    const store = memoryClientStore();
    let now = NOW;
    const meets = (members: readonly Member[]): Promise<string> =>
      reasonOf(vettingOf({ store, policy, now: () => now }).vet(pinned, members));
    const friends = crowd(12);
    expect(await meets(friends)).toBe('accepted');
    const invented = crowd(12);
    now = NOW + 6 * DAY;
    expect(await meets(crowd(12))).toBe('accepted');
    now = NOW + 8 * DAY;
    expect(await meets(invented)).toBe('too-few-known');
    // Who was refused was not met: trying again does not make them known.
    expect(await meets([...friends.slice(0, 5), ...invented.slice(0, 6)])).toBe('too-few-known');
    expect(await meets([...friends.slice(0, 6), ...invented.slice(0, 6)])).toBe('accepted');
    now = NOW + 14 * DAY;
    expect(await meets(invented)).toBe('too-few-known');
  });
});

it('what is refused names both sides, and no key or token', async () => {
  const member = memberOf(until(-1));
  const error: unknown = await vettingOf()
    .vet(enrolled, [member])
    .catch((caught: unknown) => caught);
  const { message } = error as Error;
  expect(message).toContain(member.id);
  expect(message).not.toContain(toHex(member.bundle.token.slice(0, 8)));
  expect(message).not.toContain(toHex(fromHex(authority).slice(0, 8)));
});
