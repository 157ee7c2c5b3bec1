import { concatBytes, systemRandom, toHex, utf8 } from '@tutti/base';
import { createAuthority, encodeProof, issueToken, LogMirror, type Authority } from '@tutti/identity';
import type { IdentityConfig } from '@tutti/coordination';
import {
  phaseDigest,
  roundDigest,
  type CoordinatorMessage,
  type CoordinatorMessageOf,
} from '@tutti/protocol';
import {
  advertiseKeys,
  clientIdOf,
  decodeKeyBundle,
  KEY_BUNDLE_BYTES,
  type ClientId,
  type RoundDigest,
} from '@tutti/secure-aggregation';
import { nodeCrypto as crypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { COORDINATOR_KEY, openStory, refusalOf, taskConfig, type Story } from './federation.ts';

/** Who may take part: federations with an authority apart from the coordinator, and coordinators that lie about identity. */

const random = systemRandom();
const seedOf = (label: string): Uint8Array => crypto.digest('story key', utf8(label));
const keyOf = (label: string) => crypto.signKeyPairFromSeed(seedOf(label));

/** Stories begin at a thousand seconds after the epoch. */
const START_SECONDS = 1_000;

async function openAuthority(label = 'authority'): Promise<Authority & { readonly hex: string }> {
  const log = { read: () => [], append: async () => undefined };
  const made = await createAuthority({ key: keyOf(label), crypto, log, now: () => START_SECONDS * 1_000 });
  return { ...made, hex: toHex(made.publicKey) };
}

/** Digest of the description that a client was shown. */
function digestIn(story: Story, client: number): RoundDigest {
  const described = story.clients[client]?.heard.findLast(({ type }) => type === 'describe');
  return roundDigest((described as CoordinatorMessageOf<'describe'>).description, crypto);
}

/** The same message as a coordinator would sign it. */
function resigned(message: CoordinatorMessageOf<'roster'>, digest: RoundDigest): CoordinatorMessage {
  const group = Uint8Array.of(message.group & 0xff, message.group >>> 8);
  const body = [Uint8Array.of(message.page, message.pages), message.bundles];
  return {
    ...message,
    signature: crypto.sign(
      phaseDigest('roster', digest, [group, ...body], crypto),
      COORDINATOR_KEY.secretKey,
    ),
  };
}

/** A roster that holds one real client, and for the rest clients that the coordinator invented. */
function invented(
  message: CoordinatorMessageOf<'roster'>,
  victim: ClientId,
  digest: RoundDigest,
  token: (id: ClientId) => Promise<Uint8Array | undefined>,
): Promise<CoordinatorMessage> {
  const bundles = Array.from({ length: message.bundles.length / KEY_BUNDLE_BYTES }, (_, at) =>
    message.bundles.slice(at * KEY_BUNDLE_BYTES, (at + 1) * KEY_BUNDLE_BYTES),
  );
  const idIn = (bundle: Uint8Array): ClientId => clientIdOf(decodeKeyBundle(bundle).identityKey, crypto);
  const own = bundles.find((bundle) => idIn(bundle) === victim) as Uint8Array;
  const others = bundles.slice(1).map(async () => {
    const identity = crypto.signKeyPair(random);
    const shown = await token(clientIdOf(identity.publicKey, crypto));
    const keys = { roundDigest: digest, identity, random, crypto };
    return advertiseKeys(shown === undefined ? keys : { ...keys, token: shown }).bundle;
  });
  return Promise.all(others).then((made) => {
    const sorted = [own, ...made].sort((a, b) => (idIn(a) < idIn(b) ? -1 : 1));
    return resigned({ ...message, bundles: concatBytes(...sorted) }, digest);
  });
}

/** A federation of eight enrolled clients, whose coordinator has a key that we know. */
async function enrolledStory(
  authority: Authority & { readonly hex: string },
  level: 'enrolled' | 'transparent',
  over: Partial<Parameters<typeof openStory>[0]> = {},
): Promise<Story> {
  const log = new LogMirror(authority.publicKey, crypto);
  const ids = Array.from({ length: 8 }, (_, number) =>
    clientIdOf(
      crypto.signKeyPairFromSeed(crypto.digest('story client', utf8(String(number)))).publicKey,
      crypto,
    ),
  );
  await authority.enrolAll(ids);
  log.extend(authority.entries(0, 100), authority.head()!);
  const identity: IdentityConfig =
    level === 'enrolled' ? { level, authority: authority.hex } : { level, authority: authority.hex, log };
  return openStory({
    count: 8,
    config: taskConfig({ identity }),
    policy: { identity: level, authorities: [authority.hex] },
    device: () => ({
      token: async ({ clientId }) => (await authority.enrol(clientId)).token,
      logProofs: {
        consistency: async (from, to) => encodeProof(log.consistency(from, to)),
        inclusion: async (indexes, size) => indexes.map((at) => encodeProof(log.inclusion(at, size))),
      },
    }),
    ...over,
  });
}

const declinedBy = (story: Story): string[] => story.clients.flatMap(({ declined }) => declined);

describe('a federation of enrolled clients', () => {
  it.each(['enrolled', 'transparent'] as const)(
    'commits a round at level %s, and every report names the level',
    async (level) => {
      const story = await enrolledStory(await openAuthority(), level);
      expect(story.coordination.status('films')?.identity).toBe(level);
      await story.gather();
      const event = await story.untilEnd();
      expect(declinedBy(story)).toEqual([]);
      expect(event).toMatchObject({ type: 'committed', record: { identity: level, reported: 8 } });
      expect(await story.store.readJournal('films')).toMatchObject([
        { type: 'task-created' },
        { type: 'attempt-opened', identity: level },
        { type: 'round-committed', record: { identity: level } },
      ]);
    },
  );

  it('goes on without a client that has no token, and a token of another client does not help it', async () => {
    const authority = await openAuthority();
    const friend = (await authority.enrol('0'.repeat(32))).token;
    const story = await enrolledStory(authority, 'enrolled', {
      device: (id) => ({
        token: async () => {
          if (id === story.clients[0]?.id) return Promise.reject(new Error('not logged in'));
          return id === story.clients[1]?.id ? friend : (await authority.enrol(id)).token;
        },
      }),
    });
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({
      type: 'committed',
      record: { reported: 6, declined: { 'token-missing': 1, 'token-forged': 1 } },
    });
  });

  it.each(['token-missing', 'token-expired', 'token-forged', 'token-wrong-authority'])(
    'the coordinator refuses a bundle by name: %s',
    async (reason) => {
      const authority = await openAuthority();
      const stranger = await openAuthority('stranger');
      const story = await enrolledStory(authority, 'enrolled');
      await story.gather();
      const { id, identity } = story.clients[0]!;
      // It hears the description as everybody does; what it shows is made here.
      story.clients[0]!.device = { ...story.clients[0]!.device, handle: async () => [] };
      await story.settle();
      const tokens: Record<string, () => Promise<Uint8Array | undefined>> = {
        'token-missing': async () => undefined,
        'token-expired': async () =>
          issueToken({ clientId: id, expiresAt: START_SECONDS + 20 }, keyOf('authority'), crypto),
        'token-forged': async () => (await authority.enrol('1'.repeat(32))).token,
        'token-wrong-authority': async () => (await stranger.enrol(id)).token,
      };
      const token = await tokens[reason]?.();
      const keys = { roundDigest: digestIn(story, 0), identity, random, crypto };
      const { bundle } = advertiseKeys(token === undefined ? keys : { ...keys, token });
      const reply = await story.coordination.handle(id, { type: 'advertise-keys', attempt: 1, bundle });
      expect(refusalOf(reply)).toBe(reason);
    },
  );
});

describe('a coordinator that invents everybody but one', () => {
  async function attacked(
    level: 'enrolled' | 'transparent',
    token: (id: ClientId, authority: Authority) => Promise<Uint8Array | undefined>,
  ): Promise<string[]> {
    const authority = await openAuthority();
    const rosters: Promise<CoordinatorMessage>[] = [];
    const story: Story = await enrolledStory(authority, level, {
      alter: (client, message) => {
        if (client !== 0 || message.type !== 'roster') return message;
        const victim = story.clients[0]!.id;
        rosters.push(invented(message, victim, digestIn(story, 0), (id) => token(id, authority)));
        // The real one is held back: its victim gets what is made below.
        return { type: 'outcome', attempt: 99, outcome: 'not-included' };
      },
    });
    await story.gather();
    await story.settle();
    const forged = (await rosters[0]) as CoordinatorMessage;
    const answers = await story.clients[0]!.device.handle(forged);
    return answers.map((answer) => (answer.type === 'decline' ? answer.reason : answer.type));
  }

  it('without tokens: refused', async () => {
    expect(await attacked('enrolled', async () => undefined)).toEqual(['token-missing']);
  });

  it('with tokens that it signs itself: refused', async () => {
    const own = await openAuthority('coordinator');
    const answers = await attacked('enrolled', async (id) => (await own.enrol(id)).token);
    expect(answers).toEqual(['token-wrong-authority']);
  });

  it('with real tokens of other clients: refused', async () => {
    const answers = await attacked('enrolled', async (_, real) => (await real.enrol('7'.repeat(32))).token);
    expect(answers).toEqual(['token-forged']);
  });

  it('with the help of the authority: not noticed where it is enrolled, refused where it is transparent', async () => {
    const help = async (id: ClientId, authority: Authority) => (await authority.enrol(id)).token;
    expect(await attacked('enrolled', help)).toEqual(['share-keys']);
    expect(await attacked('transparent', help)).toEqual(['not-in-log']);
  });
});

describe('a task that says less of identity than the app asks for', () => {
  it.each([
    ['identity-too-weak', { level: 'open' }],
    ['identity-too-weak', { level: 'pinned' }],
    ['wrong-authority', { level: 'enrolled', authority: 'c'.repeat(64) }],
  ] as const)('%s: everybody declines, nobody trains', async (reason, identity) => {
    const authority = await openAuthority();
    const story = await enrolledStory(authority, 'enrolled', { config: taskConfig({ identity }) });
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({
      type: 'aborted',
      reason: 'too-few-ready',
      record: { declined: { [reason]: 8 } },
    });
    for (const { sent } of story.clients) expect(sent).toHaveLength(1);
  });

  it('a configuration cannot ask for active mode below enrolled, nor for tokens without masks', async () => {
    for (const [config, message] of [
      [
        taskConfig({ mode: 'active', identity: { level: 'open' } }),
        'identity.level: open is too weak for active mode',
      ],
      [
        taskConfig({ protection: 'plain', identity: { level: 'enrolled', authority: 'c'.repeat(64) } }),
        'identity.level: enrolled needs key bundles',
      ],
      [
        taskConfig({ identity: { level: 'enrolled', authority: 'C' } }),
        'identity.authority: is not a public key',
      ],
    ] as const)
      await expect(openStory({ count: 1, config })).rejects.toThrow(message);
  });
});

describe('active mode', () => {
  it('commits a round among enrolled clients', async () => {
    const authority = await openAuthority();
    const identity: IdentityConfig = { level: 'enrolled', authority: authority.hex };
    const story = await enrolledStory(authority, 'enrolled', {
      config: taskConfig({ mode: 'active', identity }),
    });
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'committed', record: { reported: 8 } });
    expect(declinedBy(story)).toEqual([]);
  });
});
