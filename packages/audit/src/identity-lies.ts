import { systemRandom, utf8 } from '@tutti/base';
import { memoryClientStore } from '@tutti/client';
import {
  createAuthority,
  encodeKnown,
  encodeProof,
  issueToken,
  LogMirror,
  meet,
  signTreeHead,
} from '@tutti/identity';
import {
  advertiseKeys,
  clientIdOf,
  decodeKeyBundle,
  type ClientId,
  type KeyPair,
} from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { identityOf, START_MS } from './attempt.ts';
import { AUTHORITY, AUTHORITY_HEX, enrolled, OWN_AUTHORITY, TOKENS_END } from './enrolment.ts';
import { described, MEMBERS, roster, VICTIM, type Lie, type Setting } from './lie.ts';

/** Lies about who the others are, at each level of identity (secure-aggregation.md §7). */

const START_SECONDS = START_MS / 1_000;
const SECONDS_A_DAY = 86_400;

const clientId = ({ publicKey }: KeyPair): ClientId => clientIdOf(publicKey, nodeCrypto);

/** Somebody whom the coordinator made up. */
const INVENTED = nodeCrypto.signKeyPairFromSeed(nodeCrypto.digest('audit invented client'));

/** A roster in which somebody made up stands for a member: what the coordinator would need nineteen times to read the victim. */
const invented = (token: Uint8Array | undefined): Lie['tell'] =>
  roster((bundles, own, roundDigest) => {
    const keys = { roundDigest, identity: INVENTED, random: systemRandom(), crypto: nodeCrypto };
    const { bundle } = advertiseKeys(token === undefined ? keys : { ...keys, token });
    const idIn = (bytes: Uint8Array): string => clientIdOf(decodeKeyBundle(bytes).identityKey, nodeCrypto);
    const kept = bundles.filter((_, at) => at !== (own + 1) % MEMBERS);
    return [...kept, bundle].sort((a, b) => (idIn(a) < idIn(b) ? -1 : 1));
  });

/** The victim has met so many, long ago. */
function acquainted(others: readonly string[]): Setting {
  return {
    task: { identity: { level: 'pinned' } },
    policy: { identity: 'pinned', knownEnough: 10, knownAfterDays: 1 },
    device: (_, number) => {
      if (number !== VICTIM) return {};
      const store = memoryClientStore();
      void store.set('known-members', encodeKnown(meet(new Map(), others, START_SECONDS)));
      // It met them days ago: who was met for the first time just now is not known.
      return { store, nowMs: () => START_MS + 1_000 * 2 * SECONDS_A_DAY };
    },
  };
}

/** The level `transparent`, its log, a token of somebody who was enrolled after the log's head, and a head that is older. */
async function openTransparent() {
  const log = { read: () => [], append: async () => undefined };
  const authority = await createAuthority({ key: AUTHORITY, crypto: nodeCrypto, log, now: () => START_MS });
  const mirror = new LogMirror(AUTHORITY.publicKey, nodeCrypto);
  const ids = Array.from({ length: MEMBERS }, (_, number) => clientId(identityOf(number)));
  await authority.enrolAll(ids);
  const head = authority.head();
  if (head === undefined) throw new Error('the authority has no head');
  mirror.extend(authority.entries(0, MEMBERS), head);
  const late = (await authority.enrol(clientId(INVENTED))).token;
  const setting = (
    inclusion: (indexes: readonly number[], size: number) => Uint8Array[],
    seen = false,
  ): Setting => ({
    task: { identity: { level: 'transparent', authority: AUTHORITY_HEX, log: mirror } },
    policy: { identity: 'transparent', authorities: [AUTHORITY_HEX] },
    device: (id, number) => {
      const store = memoryClientStore();
      // The victim has seen the log when it had an entry more.
      if (seen && number === VICTIM)
        void store.set(`tree-head-${AUTHORITY_HEX}`, utf8(JSON.stringify(authority.head())));
      return {
        store,
        token: async () => (await authority.enrol(id)).token,
        logProofs: {
          consistency: async (from, to) => encodeProof(mirror.consistency(from, to)),
          inclusion: async (indexes, size) =>
            number === VICTIM ? inclusion(indexes, size) : proofs(indexes, size),
        },
      };
    },
  });
  const proofs = (indexes: readonly number[], size: number): Uint8Array[] =>
    indexes.map((at) => encodeProof(mirror.inclusion(at, size)));
  return { head, late, setting, proofs };
}

export async function identityLies(): Promise<Lie[]> {
  const strangers = Array.from({ length: 20 }, (_, i) =>
    clientId(nodeCrypto.signKeyPairFromSeed(nodeCrypto.digest('audit acquaintance', Uint8Array.of(i)))),
  );
  const inTwoDays = START_SECONDS + 2 * SECONDS_A_DAY;
  const tokenOf = (id: string, key: KeyPair, expiresAt = TOKENS_END): Uint8Array =>
    issueToken({ clientId: id, expiresAt }, key, nodeCrypto);
  const log = await openTransparent();
  const truth: Lie['tell'] = (message) => (message.type === 'roster' ? [message] : undefined);
  return [
    {
      name: 'pinned: everybody’s keys substituted, so that the victim has met nobody of the roster',
      setting: acquainted(strangers),
      tell: truth,
      expected: 'too-few-known',
    },
    {
      name: 'pinned: a level below it',
      setting: acquainted(strangers),
      tell: described(() => ({ identity: { level: 'open' } })),
      expected: 'identity-too-weak',
    },
    {
      name: 'enrolled: somebody made up, without a token',
      setting: enrolled(),
      tell: invented(undefined),
      expected: 'token-missing',
    },
    {
      name: 'enrolled: somebody made up, with a token that the coordinator signed itself',
      setting: enrolled(),
      tell: invented(tokenOf(clientId(INVENTED), OWN_AUTHORITY)),
      expected: 'token-wrong-authority',
    },
    {
      name: 'enrolled: somebody made up, with a token of another client',
      setting: enrolled(),
      tell: invented(tokenOf(clientId(identityOf(0)), AUTHORITY)),
      expected: 'token-forged',
    },
    {
      name: 'enrolled: somebody with a token that has ended',
      setting: enrolled(),
      tell: invented(tokenOf(clientId(INVENTED), AUTHORITY, START_SECONDS - 1)),
      expected: 'token-expired',
    },
    {
      name: 'enrolled: an authority that the app does not trust',
      setting: enrolled(),
      tell: described(() => ({
        identity: { level: 'enrolled', authority: Buffer.from(OWN_AUTHORITY.publicKey).toString('hex') },
      })),
      expected: 'wrong-authority',
    },
    {
      name: 'transparent: somebody enrolled by an authority that helps, and kept out of its log',
      setting: log.setting(log.proofs),
      tell: invented(log.late),
      expected: 'not-in-log',
    },
    {
      name: 'transparent: no proof that members stand in the log',
      setting: log.setting((indexes) => indexes.map(() => new Uint8Array(0))),
      tell: truth,
      expected: 'not-in-log',
    },
    {
      name: 'transparent: a log that shrank',
      setting: log.setting(log.proofs, true),
      tell: (message) => (message.type === 'describe' ? [message] : undefined),
      expected: 'log-went-back',
    },
    {
      name: 'transparent: another log of the same length, signed by the authority',
      setting: log.setting(log.proofs),
      tell: described(() => ({
        identity: {
          level: 'transparent',
          authority: AUTHORITY_HEX,
          log: signTreeHead({ size: MEMBERS, root: new Uint8Array(32) }, AUTHORITY, nodeCrypto),
        },
      })),
      // Its keys belong to another description than everybody else's: it is never part of the cohort.
      expected: ({ clients }) => clients[VICTIM]?.words === undefined,
    },
    {
      name: 'transparent: a head that the authority did not sign',
      setting: log.setting(log.proofs),
      tell: described(() => ({
        identity: {
          level: 'transparent',
          authority: AUTHORITY_HEX,
          log: signTreeHead({ size: inTwoDays, root: new Uint8Array(32) }, OWN_AUTHORITY, nodeCrypto),
        },
      })),
      expected: 'log-head-forged',
    },
  ];
}
