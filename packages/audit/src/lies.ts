import { roundDigest } from '@tutti/protocol';
import type { RoundDigest } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { ACTIVE_LIES } from './active-lies.ts';
import { recordAttempt } from './attempt.ts';
import { identityLies } from './identity-lies.ts';
import {
  described,
  FEW,
  flipped,
  joined,
  LEAST_NOISE,
  MEMBERS,
  relayed,
  roster,
  signer,
  survivors,
  VICTIM,
  withBit,
  type Lie,
} from './lie.ts';
import { itemsOf, type Victims } from './people.ts';
import { SLICE_AND_BUDGET_LIES } from './slice-lies.ts';
import { defended, type AttackResult } from './types.ts';

const LIES: readonly Lie[] = [
  {
    name: 'a description under no signature',
    tell: (message) =>
      message.type === 'describe' ? [{ ...message, signature: new Uint8Array(64) }] : undefined,
    expected: 'bad-signature',
  },
  { name: 'no noise', tell: described(() => ({ noise: { mechanism: 'none' } })), expected: 'noise-too-weak' },
  {
    name: 'noise that is called strong and is weak',
    tell: described(({ noise }) =>
      noise.mechanism === 'none' ? {} : { noise: { ...noise, multiplier: 5, deltaVariance: 1 } },
    ),
    expected: 'noise-too-weak',
  },
  {
    name: 'a scale so coarse that rounding outgrows the noise',
    tell: described(({ scale, noise }) => ({
      scale: { ...scale, delta: 1e-9 },
      ...(noise.mechanism === 'none' ? {} : { noise: { ...noise, deltaVariance: 1e-12 } }),
    })),
    expected: 'noise-too-weak',
  },
  {
    name: 'a clipping norm of a million',
    tell: described(() => ({ clippingNorm: 1e6 })),
    expected: 'clip-too-large',
  },
  {
    name: 'a cohort of two',
    tell: described(({ cohort }) => ({ cohort: { ...cohort, smallest: 2 } })),
    expected: 'cohort-too-small',
  },
  { name: 'no masks', tell: described(() => ({ protection: 'plain' })), expected: 'plain-refused' },
  {
    name: 'another catalogue for one',
    tell: described(() => ({ catalogueHash: 'ab'.repeat(32) })),
    expected: 'wrong-model',
  },
  {
    name: 'an attempt that was before',
    tell: (message, sign) =>
      message.type === 'describe'
        ? [
            sign.describe({ ...message.description, attempt: 7 }),
            sign.describe({ ...message.description, attempt: 6 }),
          ]
        : undefined,
    expected: 'stale-description',
  },
  {
    name: 'another model for one',
    tell: described(() => ({ modelHash: 'cd'.repeat(32) })),
    // It trains on it, but its keys belong to another round than everybody else's: it is never part of the cohort.
    expected: ({ clients }) => clients[VICTIM]?.words === undefined,
  },
  {
    name: 'a roster under no signature',
    tell: (message) =>
      message.type === 'roster' ? [{ ...message, signature: new Uint8Array(64) }] : undefined,
    expected: 'bad-signature',
  },
  {
    name: 'a roster without the victim',
    tell: roster((bundles, own) => bundles.filter((_, i) => i !== own)),
    expected: 'own-bundle-missing',
  },
  {
    name: 'a swapped key of another member',
    tell: roster((bundles, own) =>
      bundles.map((bundle, i) => (i === (own + 1) % MEMBERS ? flipped(bundle, 100) : bundle)),
    ),
    expected: 'bad-signature',
  },
  {
    name: 'one member twice',
    tell: roster((bundles) => [bundles[0] as Uint8Array, ...bundles]),
    expected: 'duplicate-member',
  },
  {
    name: 'members in another order',
    tell: roster((bundles) => [...bundles].reverse()),
    expected: 'unsorted-roster',
  },
  {
    name: 'a roster of eight, the rest made up or gone',
    tell: roster((bundles, own) => {
      const first = Math.min(own, MEMBERS - FEW);
      return bundles.slice(first, first + FEW);
    }),
    expected: 'cohort-too-small',
  },
  {
    name: 'a bit of a share flipped',
    tell: relayed((records) => records.map((record, i) => (i === 4 ? flipped(record, 30) : record))),
    expected: 'share-unreadable',
  },
  {
    name: 'two members’ shares swapped',
    tell: relayed((records) => {
      const [a, b] = [records[1] as Uint8Array, records[2] as Uint8Array];
      const swapped = [...records];
      swapped[1] = joined([a.subarray(0, 2), b.subarray(2)]);
      swapped[2] = joined([b.subarray(0, 2), a.subarray(2)]);
      return swapped;
    }),
    expected: 'share-unreadable',
  },
  {
    name: 'shares of too few',
    tell: relayed((records) => records.slice(0, 5)),
    expected: 'too-few-survivors',
  },
  {
    name: 'the victim called dropped after its upload',
    tell: survivors((bitmap, own) => withBit(bitmap, own, false)),
    expected: 'called-dropped',
  },
  {
    name: 'survivors below the threshold',
    tell: survivors((bitmap, own) => withBit(new Uint8Array(bitmap.length), own, true)),
    expected: 'too-few-survivors',
  },
  {
    name: 'a survivor that is no member',
    tell: survivors((bitmap) => withBit(bitmap, MEMBERS + 2, true)),
    expected: 'survivors-outside-cohort',
  },
  {
    name: 'a second list of survivors, to learn the other kind of share',
    tell: (message, sign) =>
      message.type === 'survivors'
        ? [
            message,
            sign.survivors(message, withBit(message.survivors.slice(), (sign.own + 1) % MEMBERS, false)),
          ]
        : undefined,
    // The same answer again, to the byte, or none: never the other share of anyone.
    expected: ({ clients }) =>
      new Set(clients[VICTIM]?.sent.slice(-2).map((bytes) => bytes.join())).size === 1,
  },
];

/** A lying coordinator: every lie must be refused by name, and never change what is sent. One result a lie. */
export async function lyingCoordinator(victims: LyingSetup): Promise<AttackResult[]> {
  const results: AttackResult[] = [];
  for (const lie of [...LIES, ...ACTIVE_LIES, ...(await identityLies()), ...SLICE_AND_BUDGET_LIES]) {
    const heard = await toldTo(victims, lie);
    results.push(
      defended({
        name: `a lie: ${lie.name}`,
        defence: typeof lie.expected === 'string' ? `refused: ${lie.expected}` : 'changes nothing',
        statistic: `times of 1 that one member of ${MEMBERS} took it${heard.refused ? '' : `; it answered ${heard.answer}`}`,
        value: heard.refused ? 0 : 1,
        bound: 0,
      }),
    );
  }
  return results;
}

/** A model to lie about: the smaller, the faster. */
export type LyingSetup = Pick<Victims, 'model' | 'loaded' | 'train' | 'clippingNorm' | 'random'>;

async function toldTo(
  victims: LyingSetup,
  lie: Lie,
): Promise<{ readonly refused: boolean; readonly answer: string }> {
  const { model, loaded, clippingNorm, random } = victims;
  const keyPair = nodeCrypto.signKeyPairFromSeed(nodeCrypto.digest('lying coordinator'));
  const people = Array.from({ length: MEMBERS }, (_, user) => ({ user, positives: itemsOf(victims, user) }));
  let digest: RoundDigest | undefined;
  let told = false;
  let own = -1;
  const attempt = await recordAttempt({
    model,
    loaded,
    people,
    clippingNorm,
    random,
    noiseMultiplier: lie.setting?.noiseMultiplier ?? LEAST_NOISE,
    policy: { leastNoiseMultiplier: LEAST_NOISE, ...lie.setting?.policy },
    ...(lie.setting?.task === undefined ? {} : { task: lie.setting.task }),
    ...(lie.setting?.device === undefined ? {} : { device: lie.setting.device }),
    // What it declines it declines at once; only where it must change nothing, the end is of interest.
    enough: (clients) => typeof lie.expected === 'string' && (clients[VICTIM]?.declined.length ?? 0) > 0,
    keyPair,
    onClients: (ids) => (own = [...ids].sort().indexOf(ids[VICTIM] as never)),
    says: (message, client) => {
      if (message.type === 'describe') digest ??= roundDigest(message.description, nodeCrypto);
      const lies =
        client === VICTIM && !told
          ? lie.tell(message, signer(keyPair, digest as RoundDigest, own))
          : undefined;
      told ||= lies !== undefined;
      return lies ?? [message];
    },
  });
  const victim = attempt.clients[VICTIM];
  if (!told || victim === undefined) return { refused: false, answer: 'nothing: the lie was never told' };
  const refused =
    typeof lie.expected === 'string' ? victim.declined.includes(lie.expected) : lie.expected(attempt);
  return { refused, answer: victim.declined.join(', ') || 'as if it were true' };
}
