import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { NONCE_BYTES, SEALED_SHARE_BYTES, SIGNATURE_RECORD_BYTES } from '@tutti/secure-aggregation';
import { decodeClientMessage, type CoordinatorMessageOf } from '@tutti/protocol';
import { identityOf } from './attempt.ts';
import { enrolled } from './enrolment.ts';
import {
  described,
  flipped,
  joined,
  MEMBERS,
  parts,
  relayed,
  VICTIM,
  withBit,
  type Lie,
  type Setting,
} from './lie.ts';

/** Lies about who survived, in active mode, where members sign it; and lies about a sparse graph, which everybody's nonces decide. */

const ACTIVE: Setting = {
  ...enrolled(),
  task: { ...enrolled().task, mode: 'active', insecureSmallCohort: true },
};
const active: Setting = { ...ACTIVE, policy: { ...ACTIVE.policy, mode: 'active' } };

/** Groups above sixteen are sparse here, so that a group of twenty is: each has four neighbours. */
const sparse: Setting = {
  task: { graph: { corruptPermille: 0, dropoutPermille: 50, largestComplete: 16 } },
  policy: { leastCorruptPermille: 0 },
};

/** The records of signatures that the victim is shown, in another form. */
const signatures =
  (
    change: (
      records: Uint8Array[],
      message: CoordinatorMessageOf<'survivor-signatures'>,
    ) => readonly Uint8Array[],
  ): Lie['tell'] =>
  (message, sign) =>
    message.type === 'survivor-signatures'
      ? [sign.signatures(message, joined(change(parts(message.signatures, SIGNATURE_RECORD_BYTES), message)))]
      : undefined;

/** Identities in the order of the roster: by client id. */
const BY_PLACE = Array.from({ length: MEMBERS }, (_, number) => identityOf(number)).sort((a, b) =>
  idOf(a.publicKey) < idOf(b.publicKey) ? -1 : 1,
);

function idOf(publicKey: Uint8Array): string {
  return Buffer.from(nodeCrypto.digest('id', publicKey).subarray(0, 16)).toString('hex');
}

/** What every member would sign for other survivors, or for the same in another round: real signatures, of something else. */
const signedElsewhere = signatures((records) =>
  records.map((record) => {
    const at = (record[0] as number) | ((record[1] as number) << 8);
    const digest = nodeCrypto.digest(
      'survivors',
      nodeCrypto.digest('cohort', Uint8Array.of(1)),
      Uint8Array.of(255, 255, 15),
    );
    const { secretKey } = BY_PLACE[at] as (typeof BY_PLACE)[number];
    return joined([record.subarray(0, 2), nodeCrypto.sign(digest, secretKey)]);
  }),
);

/** The nonces that decide the graph, in another form. */
const nonces =
  (change: (nonces: Uint8Array[], own: number) => readonly Uint8Array[]): Lie['tell'] =>
  (message, sign) =>
    message.type === 'nonces'
      ? [sign.nonces(message, joined(change(parts(message.nonces, NONCE_BYTES), sign.own)))]
      : undefined;

export const ACTIVE_LIES: readonly Lie[] = [
  {
    name: 'a mode that protects from less than was asked',
    setting: active,
    tell: described(() => ({ mode: 'semi-honest' })),
    expected: 'mode-too-weak',
  },
  {
    name: 'survivors that nobody signed',
    setting: active,
    tell: signatures(() => []),
    expected: 'too-few-signatures',
  },
  {
    name: 'survivors that fewer than the threshold signed',
    setting: active,
    // ⌊2·19/3⌋ + 1 = 13 of 19 neighbours are asked for.
    tell: signatures((records) => records.slice(0, 12)),
    expected: 'too-few-signatures',
  },
  {
    name: 'a bit of a signature of the survivors flipped',
    setting: active,
    tell: signatures((records) => records.map((record, i) => (i === 7 ? flipped(record, 40) : record))),
    expected: 'bad-signature',
  },
  {
    name: 'signatures of the survivors of another round',
    setting: active,
    tell: signedElsewhere,
    expected: 'bad-signature',
  },
  {
    name: 'one signature counted often',
    setting: active,
    tell: signatures((records) => records.map(() => records[0] as Uint8Array)),
    expected: 'malformed',
  },
  {
    name: 'the victim’s own signature counted for a neighbour’s',
    setting: active,
    tell: (message, sign) =>
      signatures((records) =>
        records.map((record, i) =>
          i === 0 && sign.own === 0
            ? record
            : joined([record.subarray(0, 2), (records[(i + 1) % records.length] as Uint8Array).subarray(2)]),
        ),
      )(message, sign),
    expected: 'bad-signature',
  },
  {
    name: 'a second list of survivors to sign',
    setting: active,
    tell: (message, sign) =>
      message.type === 'survivors'
        ? [
            message,
            sign.survivors(message, withBit(message.survivors.slice(), (sign.own + 1) % MEMBERS, false)),
          ]
        : undefined,
    // One signature, however often it is asked for.
    expected: ({ clients }) => {
      const signed = (clients[VICTIM]?.sent ?? []).filter(
        (bytes) => decodeClientMessage(bytes).type === 'sign-survivors',
      );
      return signed.length > 0 && new Set(signed.map((bytes) => bytes.join())).size === 1;
    },
  },
  {
    name: 'other survivors for one than for the rest',
    setting: active,
    tell: (message, sign) =>
      message.type === 'survivors'
        ? [sign.survivors(message, withBit(message.survivors.slice(), (sign.own + 1) % MEMBERS, false))]
        : undefined,
    // It signs what it is shown, which nobody else signed: it unmasks nobody.
    expected: ({ clients }) => {
      const types = (clients[VICTIM]?.sent ?? []).map((bytes) => decodeClientMessage(bytes).type);
      return types.includes('sign-survivors') && !types.includes('unmask');
    },
  },
  {
    name: 'a graph from a nonce that its owner did not commit to',
    setting: sparse,
    tell: nonces((list, own) =>
      list.map((nonce, i) => (i === (own + 1) % MEMBERS ? flipped(nonce, 3) : nonce)),
    ),
    expected: 'nonce-mismatch',
  },
  {
    name: 'a graph from a nonce of the victim that it did not reveal',
    setting: sparse,
    tell: nonces((list, own) => list.map((nonce, i) => (i === own ? new Uint8Array(NONCE_BYTES) : nonce))),
    expected: 'nonce-mismatch',
  },
  {
    name: 'a graph from the nonces of a few',
    setting: sparse,
    tell: nonces((list, own) => list.map((nonce, i) => (i === own ? nonce : new Uint8Array(NONCE_BYTES)))),
    expected: 'too-few-nonces',
  },
  {
    name: 'another graph than the nonces give: shares of one who is no neighbour',
    setting: sparse,
    tell: (message, sign) => {
      if (message.type !== 'relay-shares') return undefined;
      const near = new Set(parts(message.shares, SEALED_SHARE_BYTES).map((record) => record[0]));
      const stranger = Array.from({ length: MEMBERS }, (_, at) => at).find(
        (at) => at !== sign.own && !near.has(at),
      );
      const moved = (records: Uint8Array[]): Uint8Array[] =>
        [
          joined([Uint8Array.of(stranger ?? 0, 0), (records[0] as Uint8Array).subarray(2)]),
          ...records.slice(1),
        ].sort((a, b) => (a[0] as number) - (b[0] as number));
      return relayed(moved)(message, sign);
    },
    expected: 'not-a-member',
  },
  {
    name: 'a graph that more may drop out of, for one alone',
    setting: sparse,
    tell: described(({ graph }) => ({ graph: { ...graph, dropoutPermille: 100 } })),
    // Its keys belong to another round than everybody else's: it is never part of the cohort.
    expected: ({ clients }) => clients[VICTIM]?.words === undefined,
  },
  {
    name: 'a graph that colluders may cut, where more were to be borne',
    setting: { ...sparse, policy: { leastCorruptPermille: 50 } },
    tell: described(({ graph }) => ({ graph: { ...graph, corruptPermille: 10 } })),
    expected: 'mode-too-weak',
  },
];
