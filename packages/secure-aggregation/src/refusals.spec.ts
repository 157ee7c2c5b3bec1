import { fromHex, systemRandom, utf8 } from '@tutti/base';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  addBundle,
  addShares,
  addUnmaskReply,
  advertiseKeys,
  answerUnmask,
  closeInputs,
  closeKeys,
  closeShares,
  collectKeys,
  countInput,
  enterCohort,
  isRefused,
  KEY_BUNDLE_BYTES,
  maskInput,
  recoverMasks,
  RefusalError,
  SEALED_SHARE_BYTES,
  shareKeys,
  checkRingBudget,
  type ClientAdvertised,
  type ClientMasked,
  type ClientShared,
  type Collecting,
  type KeyPair,
  type QuantizedInput,
  type RoundDigest,
  type Sharing,
  type Unmasking,
} from './index.ts';
import { bundleDigest } from './key-bundle.ts';
import { SEMI_HONEST } from '../test/exchange.ts';
import { combineShares, lagrangeAtZero, splitSecret } from './shamir.ts';
import { nodeCrypto as crypto } from './node.ts';

const random = systemRandom();
const N = 6;
const digestOf = (text: string): RoundDigest => crypto.digest('round', utf8(text)) as RoundDigest;
const roundDigest = digestOf('a round');
const input = Uint32Array.of(1, 2, 3) as QuantizedInput;

/** The reason that `work` is refused with, from either side. */
function reasonOf(work: () => unknown): string {
  try {
    const answer = work();
    return typeof answer === 'object' && answer !== null && isRefused(answer as never)
      ? (answer as { refused: string }).refused
      : 'accepted';
  } catch (error) {
    return error instanceof RefusalError ? error.reason : `threw ${String(error)}`;
  }
}

/** What `value` is when it must not be an abort or a refusal. */
function good<T>(value: T): Exclude<T, { phase: 'aborted' } | { refused: string }> {
  if (
    typeof value === 'object' &&
    value !== null &&
    ('refused' in value || ('phase' in value && value.phase === 'aborted'))
  )
    throw new Error(JSON.stringify(value));
  return value as Exclude<T, { phase: 'aborted' } | { refused: string }>;
}

interface Member {
  identity: KeyPair;
  advertised: ClientAdvertised;
  bundle: Uint8Array;
}

let members: Member[];
let sharing: Sharing;

const enter = (digest = roundDigest): Member => {
  const identity = crypto.signKeyPair(random);
  const { state, bundle } = advertiseKeys({ roundDigest: digest, identity, random, crypto });
  return { identity, advertised: state, bundle };
};
const open = () => collectKeys({ crypto, roundDigest, rules: SEMI_HONEST, largest: N, smallest: 2 });

/** Both halves of phase 2 on the complete graph. */
const share = (advertised: ClientAdvertised, roster: Uint8Array, smallestCohort = 2) =>
  shareKeys(enterCohort(advertised, roster, { ...SEMI_HONEST, smallestCohort }).state);

/** A phase that must have come, with its type. */
function inPhase<T extends { phase: string }, P extends T['phase']>(
  state: T,
  phase: P,
): Extract<T, { phase: P }> {
  if (state.phase !== phase) throw new Error(`phase ${state.phase}, not ${phase}`);
  return state as Extract<T, { phase: P }>;
}

beforeEach(() => {
  const entered = Array.from({ length: N }, () => enter());
  members = entered.sort((a, b) => (a.advertised.id < b.advertised.id ? -1 : 1));
  sharing = inPhase(
    closeKeys(members.reduce((state, { bundle }) => good(addBundle(state, bundle)), open())),
    'share-keys',
  );
});

/** Everybody shares keys. */
function shared(): { collecting: Collecting; clients: ClientShared[] } {
  let state = sharing;
  const clients = members.map(({ advertised }) => {
    const result = share(advertised, sharing.roster);
    state = good(addShares(state, advertised.id, result.shares));
    return result.state;
  });
  return { collecting: good(closeShares(state)), clients };
}

/** Everybody but `dropped` uploads. */
function uploaded(dropped: readonly number[] = []): {
  unmasking: Unmasking;
  clients: (ClientMasked | undefined)[];
} {
  const { collecting, clients } = shared();
  let state = collecting;
  const masked = clients.map((client, i) => {
    if (dropped.includes(i)) return undefined;
    const result = maskInput(client, collecting.relay(client.own.id), input);
    state = good(countInput(state, client.own.id));
    return result.state;
  });
  return { unmasking: inPhase(closeInputs(state), 'unmask'), clients: masked };
}

const rosterOf = (...bundles: Uint8Array[]): Uint8Array =>
  Uint8Array.from(bundles.flatMap((bundle) => [...bundle]));
const flip = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

const LOW_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}ff`,
];

const maskKeyOf = (bundle: Uint8Array): Uint8Array => bundle.slice(96, 128);

/** A fresh member's bundle, signed, with other bytes for the key at `at`; its own mask key where none are given. */
function withKey(at: number, key: Uint8Array | undefined): Uint8Array {
  const { bundle, identity } = enter();
  const changed = bundle.slice();
  changed.set(key ?? maskKeyOf(bundle), at);
  changed.set(crypto.sign(bundleDigest(changed, crypto), identity.secretKey), KEY_BUNDLE_BYTES - 64);
  return changed;
}

describe('phase 1, on the coordinator', () => {
  it.each<[string, () => unknown, string]>([
    ['of another round', () => addBundle(open(), enter(digestOf('another')).bundle), 'wrong-round'],
    ['with a byte changed', () => addBundle(open(), flip(members[0]!.bundle, 70)), 'bad-signature'],
    [
      'with its signature changed',
      () => addBundle(open(), flip(members[0]!.bundle, KEY_BUNDLE_BYTES - 1)),
      'bad-signature',
    ],
    ['too short', () => addBundle(open(), members[0]!.bundle.slice(1)), 'malformed'],
    [
      'of a client that advertised other keys',
      () =>
        addBundle(
          good(addBundle(open(), members[0]!.bundle)),
          advertiseKeys({ roundDigest, identity: members[0]!.identity, random, crypto }).bundle,
        ),
      'duplicate-member',
    ],
    [
      'whose encryption key is another member’s mask key',
      () =>
        addBundle(good(addBundle(open(), members[0]!.bundle)), withKey(64, maskKeyOf(members[0]!.bundle))),
      'duplicate-key',
    ],
    ['whose two keys are one', () => addBundle(open(), withKey(64, undefined)), 'duplicate-key'],
    ...LOW_ORDER.flatMap((point) =>
      [64, 96].map((at): [string, () => unknown, string] => [
        `with the low-order key ${point.slice(0, 6)}… at ${at}`,
        () => addBundle(open(), withKey(at, fromHex(point))),
        'low-order-key',
      ]),
    ),
    [
      'beyond the largest group',
      () =>
        addBundle(
          members.reduce((state, { bundle }) => good(addBundle(state, bundle)), open()),
          enter().bundle,
        ),
      'cohort-full',
    ],
    [
      'that came before',
      () => addBundle(good(addBundle(open(), members[0]!.bundle)), members[0]!.bundle),
      'accepted',
    ],
  ])('a bundle %s', (_name, work, reason) => expect(reasonOf(work)).toBe(reason));

  it('too few clients end the attempt', () => {
    expect(closeKeys(good(addBundle(open(), members[0]!.bundle)))).toEqual({
      phase: 'aborted',
      reason: 'too-few-clients',
    });
  });
});

describe('phase 2, on the client', () => {
  const take =
    (roster: Uint8Array, smallestCohort = 2) =>
    () =>
      share(members[0]!.advertised, roster, smallestCohort);
  it.each<[string, () => () => unknown, string]>([
    [
      'without its own bundle',
      () => take(rosterOf(...members.slice(1).map(({ bundle }) => bundle))),
      'own-bundle-missing',
    ],
    [
      'with other keys under its own identity',
      () =>
        take(
          rosterOf(
            ...members.map(({ bundle, identity }, i) =>
              i === 0 ? advertiseKeys({ roundDigest, identity, random, crypto }).bundle : bundle,
            ),
          ),
        ),
      'own-bundle-changed',
    ],
    [
      'with a forged member',
      () => take(rosterOf(...members.map(({ bundle }, i) => (i === 3 ? flip(bundle, 100) : bundle)))),
      'bad-signature',
    ],
    [
      'with a member of another round',
      () =>
        take(
          rosterOf(
            ...[...members.slice(0, 5), enter(digestOf('x'))]
              .sort((a, b) => (a.advertised.id < b.advertised.id ? -1 : 1))
              .map(({ bundle }) => bundle),
          ),
        ),
      'wrong-round',
    ],
    [
      'with a member twice',
      () => take(rosterOf(...[...members, members[5]!].map(({ bundle }) => bundle))),
      'duplicate-member',
    ],
    [
      'out of order',
      () => take(rosterOf(...[members[1]!, members[0]!, ...members.slice(2)].map(({ bundle }) => bundle))),
      'unsorted-roster',
    ],
    ['smaller than its policy asks', () => take(sharing.roster, 32), 'cohort-too-small'],
    ['that is torn', () => take(sharing.roster.slice(3)), 'malformed'],
  ])('a roster %s', (_name, work, reason) => {
    expect(reasonOf(work())).toBe(reason);
    // Nothing that could mask or unmask is left behind after a refusal.
    expect(members[0]!.advertised.mask.secretKey.every((byte) => byte === 0)).toBe(true);
    expect(members[0]!.advertised.seed.every((byte) => byte === 0)).toBe(true);
  });
});

describe('phase 2, on the coordinator', () => {
  const shares = (of = 0) => share(members[of]!.advertised, sharing.roster).shares;
  it.each<[string, () => unknown, string]>([
    ['from a stranger', () => addShares(sharing, enter().advertised.id, new Uint8Array(0)), 'not-a-member'],
    [
      'with one missing',
      () => addShares(sharing, members[0]!.advertised.id, shares().slice(SEALED_SHARE_BYTES)),
      'share-missing',
    ],
    [
      'with a share for the sender',
      () => addShares(sharing, members[1]!.advertised.id, shares(0)),
      'malformed',
    ],
    ['torn', () => addShares(sharing, members[0]!.advertised.id, shares().slice(1)), 'malformed'],
  ])('shares %s', (_name, work, reason) => expect(reasonOf(work)).toBe(reason));

  it('a second time are refused, and too few sharers end the attempt', () => {
    const first = good(addShares(sharing, members[0]!.advertised.id, shares()));
    expect(reasonOf(() => addShares(first, members[0]!.advertised.id, new Uint8Array(0)))).toBe(
      'already-answered',
    );
    expect(closeShares(first)).toEqual({ phase: 'aborted', reason: 'too-few-sharers' });
  });
});

describe('phase 3, on the client', () => {
  it.each<[string, (relay: (of: number) => Uint8Array) => Uint8Array, string]>([
    ['bit-flipped', (relay) => flip(relay(0), 10), 'share-unreadable'],
    ['meant for another', (relay) => relay(1), 'malformed'],
    ['swapped between senders', (relay) => swapBodies(relay(0)), 'share-unreadable'],
    [
      'from outside the roster',
      (relay) => relay(0).map((byte, i) => (i === relay(0).length - SEALED_SHARE_BYTES ? 60 : byte)),
      'not-a-member',
    ],
    ['twice', (relay) => Uint8Array.from([...relay(0), ...relay(0)]), 'malformed'],
    ['too few', (relay) => relay(0).slice(0, 2 * SEALED_SHARE_BYTES), 'too-few-survivors'],
  ])('relayed shares %s', (_name, change, reason) => {
    const { collecting, clients } = shared();
    const relay = (of: number): Uint8Array => collecting.relay(members[of]!.advertised.id);
    expect(reasonOf(() => maskInput(clients[0]!, change(relay), input))).toBe(reason);
  });

  it('leaves the input alone, wipes its keys, and gives words unlike it', () => {
    const { collecting, clients } = shared();
    const { masked } = maskInput(clients[0]!, collecting.relay(clients[0]!.own.id), input);
    expect([...input]).toEqual([1, 2, 3]);
    expect([...masked]).not.toEqual([1, 2, 3]);
    expect(clients[0]!.own.mask.secretKey.every((byte) => byte === 0)).toBe(true);
    expect([...clients[0]!.sealingKeys.values()].every((key) => key.every((byte) => byte === 0))).toBe(true);
  });
});

function swapBodies(records: Uint8Array): Uint8Array {
  const out = records.slice();
  out.set(records.subarray(2, SEALED_SHARE_BYTES), SEALED_SHARE_BYTES + 2);
  out.set(records.subarray(SEALED_SHARE_BYTES + 2, 2 * SEALED_SHARE_BYTES), 2);
  return out;
}

describe('phase 3 and 5, on the coordinator', () => {
  it('an input of a stranger, or twice, is refused; too few survivors end the attempt', () => {
    const { collecting } = shared();
    expect(reasonOf(() => countInput(collecting, enter().advertised.id))).toBe('not-a-member');
    const once = good(countInput(collecting, members[0]!.advertised.id));
    expect(reasonOf(() => countInput(once, members[0]!.advertised.id))).toBe('already-answered');
    expect(closeInputs(once)).toEqual({ phase: 'aborted', reason: 'too-few-survivors' });
  });

  it('an unmask answer of a dropped client, torn, short, or twice is refused', () => {
    const { unmasking, clients } = uploaded([2]);
    const { reply } = answerUnmask(clients[0]!, unmasking.survivors);
    const id = members[0]!.advertised.id;
    expect(reasonOf(() => addUnmaskReply(unmasking, members[2]!.advertised.id, reply))).toBe('not-a-member');
    expect(reasonOf(() => addUnmaskReply(unmasking, id, reply.slice(1)))).toBe('malformed');
    expect(reasonOf(() => addUnmaskReply(unmasking, id, reply.slice(34)))).toBe('share-missing');
    expect(reasonOf(() => addUnmaskReply(good(addUnmaskReply(unmasking, id, reply)), id, reply))).toBe(
      'already-answered',
    );
  });
});

describe('phase 5, on the client', () => {
  const bitmap = (...indexes: number[]): Uint8Array =>
    Uint8Array.of(indexes.reduce((bits, index) => bits | (1 << index), 0));
  it.each<[string, Uint8Array, string]>([
    ['calls it dropped after its upload', bitmap(1, 2, 3, 4, 5), 'called-dropped'],
    ['names one that is not in the roster', Uint8Array.of(0xff), 'survivors-outside-cohort'],
    ['is below the threshold', bitmap(0, 1), 'too-few-survivors'],
    ['is at the threshold, so that nobody’s own secret comes back', bitmap(0, 1, 2, 3), 'too-few-survivors'],
    ['has another length', new Uint8Array(2), 'malformed'],
  ])('a survivor list that %s', (_name, survivors, reason) => {
    const { clients } = uploaded();
    expect(reasonOf(() => answerUnmask(clients[0]!, survivors))).toBe(reason);
    expect(
      clients[0]!.held.every(({ seedShare, keyShare }) =>
        [...seedShare, ...keyShare].every((byte) => byte === 0),
      ),
    ).toBe(true);
  });

  it('gives exactly one share for each other, of 32 bytes, whatever its kind, and then holds nothing', () => {
    const { unmasking, clients } = uploaded([2]);
    const { state, reply } = answerUnmask(clients[0]!, unmasking.survivors);
    expect(reply).toHaveLength((N - 1) * 34);
    expect(state).toEqual({ phase: 'finished' });
    expect(clients[0]!.held.every(({ seedShare }) => seedShare.every((byte) => byte === 0))).toBe(true);
  });
});

describe('a state that was used', () => {
  const seconds: [string, () => () => unknown][] = [
    [
      'sharing keys again, which would reuse a nonce',
      () => {
        const { advertised } = members[0]!;
        share(advertised, sharing.roster);
        return () => share(advertised, sharing.roster);
      },
    ],
    [
      'sharing keys after a refusal, with keys of zeros',
      () => {
        const { advertised } = members[0]!;
        reasonOf(() => share(advertised, new Uint8Array(0)));
        return () => share(advertised, sharing.roster);
      },
    ],
    [
      'masking another input',
      () => {
        const { collecting, clients } = shared();
        const relay = collecting.relay(clients[0]!.own.id);
        maskInput(clients[0]!, relay, input);
        return () => maskInput(clients[0]!, relay, input);
      },
    ],
    [
      'answering for another U3',
      () => {
        const { unmasking, clients } = uploaded();
        answerUnmask(clients[0]!, unmasking.survivors);
        return () => answerUnmask(clients[0]!, Uint8Array.of(0b011111));
      },
    ],
  ];
  it.each(seconds)('refuses %s', (_name, prepare) => {
    expect(reasonOf(prepare())).toBe('already-answered');
  });

  it('with a token of another length is never made', () => {
    const { identity } = members[0]!;
    for (const length of [0, 10, 200])
      expect(() =>
        advertiseKeys({ roundDigest, identity, token: new Uint8Array(length), random, crypto }),
      ).toThrow('a token of');
  });
});

describe('phase 6', () => {
  it('leaves a wrong share out, and names nobody where too few answered to tell who lied', () => {
    const { unmasking, clients } = uploaded();
    const state = clients.reduce((before, client, i) => {
      const { reply } = answerUnmask(client!, unmasking.survivors);
      return good(addUnmaskReply(before, members[i]!.advertised.id, i === 1 ? flip(reply, 5) : reply));
    }, unmasking);
    const recovered = recoverMasks(state);
    expect(recovered).toMatchObject({ phase: 'recovered', culprits: [] });
  });

  it('ends when too few answered', () => {
    const { unmasking, clients } = uploaded();
    const { reply } = answerUnmask(clients[0]!, unmasking.survivors);
    expect(recoverMasks(good(addUnmaskReply(unmasking, members[0]!.advertised.id, reply)))).toEqual({
      phase: 'aborted',
      reason: 'too-few-unmask-shares',
    });
  });
});

describe('a coordinator that shows different things to different clients', () => {
  /** Member 0 is shown `roster`; everybody else the real one. What it seals is relayed to member 1. */
  function shareOf0In(roster: Uint8Array): () => unknown {
    const { shares } = share(members[0]!.advertised, roster);
    const clients = members.slice(1).map(({ advertised }) => share(advertised, sharing.roster));
    let state = good(addShares(sharing, members[0]!.advertised.id, shares));
    clients.forEach((client, i) => {
      state = good(addShares(state, members[i + 1]!.advertised.id, client.shares));
    });
    const collecting = good(closeShares(state));
    return () => maskInput(clients[0]!.state, collecting.relay(members[1]!.advertised.id), input);
  }

  it('in another cohort, with a member’s keys swapped for its own, a client’s shares open for nobody', () => {
    const swapped = members.map(({ bundle, identity }, i) =>
      i === 4 ? advertiseKeys({ roundDigest, identity, random, crypto }).bundle : bundle,
    );
    expect(reasonOf(shareOf0In(rosterOf(...swapped)))).toBe('share-unreadable');
  });

  it('in another cohort, with a member’s identity swapped for its own, likewise', () => {
    // One that stands behind everybody, so that nobody's position changes.
    let other = enter();
    while (other.advertised.id < members[4]!.advertised.id) other = enter();
    const others = [...members.slice(0, 5), other];
    expect(reasonOf(shareOf0In(rosterOf(...others.map(({ bundle }) => bundle))))).toBe('share-unreadable');
  });

  it('in the same one, they open', () => {
    expect(reasonOf(shareOf0In(sharing.roster))).toBe('accepted');
  });

  it('with a share of an earlier attempt, which is refused', () => {
    const { collecting, clients } = shared();
    const replayed = collecting.relay(members[0]!.advertised.id);
    reasonOf(() => maskInput(clients[0]!, replayed, input));
    // The same people meet again: fresh keys, another cohort.
    const again = members.map(({ identity }) => advertiseKeys({ roundDigest, identity, random, crypto }));
    const next = inPhase(
      closeKeys(again.reduce((state, { bundle }) => good(addBundle(state, bundle)), open())),
      'share-keys',
    );
    const { state } = share(again[0]!.state, next.roster);
    expect(reasonOf(() => maskInput(state, replayed, input))).toBe('share-unreadable');
  });
});

describe('one neighbour in both lists', () => {
  it('cannot be written: a bitmap names it once, and an answer with two shares of it is refused', () => {
    const { unmasking, clients } = uploaded();
    const { reply } = answerUnmask(clients[0]!, unmasking.survivors);
    const twice = Uint8Array.from([...reply.slice(0, 34), ...reply]);
    expect(reasonOf(() => addUnmaskReply(unmasking, members[0]!.advertised.id, twice))).toBe('malformed');
  });
});

describe('Shamir sharing', () => {
  const secret = Uint8Array.from({ length: 32 }, (_, i) => 7 * i);
  const draw = (length: number): Uint8Array => random.bytes(length);

  it('gives the secret back from any t of k shares, and t − 1 fit every secret', () => {
    const points = [1, 2, 3, 4, 5, 6, 7];
    const shares = splitSecret(secret, 4, points, draw);
    for (const chosen of [
      [0, 1, 2, 3],
      [3, 4, 5, 6],
      [6, 0, 4, 2],
    ]) {
      const at = chosen.map((i) => points[i]!);
      expect(
        combineShares(
          chosen.map((i) => shares[i]!),
          lagrangeAtZero(at),
        ),
      ).toEqual(secret);
    }
    // With three shares and any wanted secret there is a fourth share that completes it: three say nothing.
    const wanted = secret.map((byte) => byte ^ 0x55);
    const coefficients = lagrangeAtZero([1, 2, 3, 4]);
    const partial = combineShares([shares[0]!, shares[1]!, shares[2]!, new Uint8Array(32)], coefficients);
    expect(partial).not.toEqual(wanted);
    expect(coefficients[3]).not.toBe(0);
  });

  it('refuses a threshold above the number of shares', () =>
    expect(() => splitSecret(secret, 3, [1, 2], draw)).toThrow('threshold 3'));
});

it('the ring’s budget is an error before it is a wrong sum', () => {
  expect(() =>
    checkRingBudget({ cohort: 128, largestMagnitude: 2 ** 24, noiseTail: 0, wordBits: 32 }),
  ).toThrow(/2147483648; it must stay below 2147483648/);
  expect(() =>
    checkRingBudget({ cohort: 127, largestMagnitude: 2 ** 24, noiseTail: 1_000, wordBits: 32 }),
  ).not.toThrow();
  expect(() =>
    checkRingBudget({ cohort: 1, largestMagnitude: Number.NaN, noiseTail: 0, wordBits: 32 }),
  ).toThrow();
});
