import { equalBytes, wipe } from '@tutti/base';
import type { ClientId, CryptoSuite } from './crypto-suite.ts';
import type { Member } from './key-bundle.ts';
import { combineShares, lagrangeAtZero } from './shamir.ts';
import type { Aborted, Unmasking } from './server-state.ts';
import { pairSeed, pairSign, selfSeed } from './share-records.ts';

/** A stream to add to the sum so that a mask goes away. */
export interface MaskCorrection {
  readonly seed: Uint8Array;
  readonly sign: 1 | -1;
}

/** All masks of a group, recovered; `culprits` sent shares that do not fit and were left out. */
export interface RecoveredMasks {
  readonly phase: 'recovered';
  readonly corrections: readonly MaskCorrection[];
  readonly culprits: readonly ClientId[];
}

interface Share {
  readonly holder: ClientId;
  readonly point: number;
  readonly body: Uint8Array;
}

/** Sets of t shares that are tried, at most, before a secret is given up: bounds the work a liar can cause. */
const MOST_TRIES = 512;

/**
 * Phase 6. Reconstructs the self seed of every survivor and the mask key of every dropped member of U2, checking each
 * against what its owner advertised; a wrong share is left out and its sender named.
 */
export function recoverMasks(state: Unmasking): RecoveredMasks | Aborted {
  const sharesOf = collectShares(state);
  const coefficients = coefficientCache();
  const culprits = new Set<ClientId>();
  const corrections: MaskCorrection[] = [];
  const { crypto, cohortDigest } = state;
  for (const id of state.sharers) {
    const member = state.cohort[state.members.indexOf(id)] as Member;
    const survived = state.survivorIds.includes(id);
    const shares = sharesOf.get(id) ?? [];
    if (shares.length < state.threshold) return { phase: 'aborted', reason: 'too-few-unmask-shares' };
    const fits = survived
      ? (secret: Uint8Array) =>
          equalBytes(crypto.digest('commit-seed', state.roundDigest, secret), member.bundle.seedCommitment)
      : (secret: Uint8Array) => equalBytes(crypto.publicKeyOf(secret), member.bundle.maskKey);
    const secret = reconstruct(shares, state.threshold, fits, coefficients, culprits);
    if (secret === undefined) return { phase: 'aborted', reason: 'unrecoverable-masks' };
    if (survived) corrections.push({ seed: selfSeed(cohortDigest, id, secret, crypto), sign: -1 });
    else corrections.push(...pairCorrections(state, id, secret));
    wipe(secret);
  }
  return { phase: 'recovered', corrections, culprits: [...culprits].sort() };
}

/** What each survivor added for its pair with the dropped member, taken away. */
function pairCorrections(state: Unmasking, dropped: ClientId, maskKey: Uint8Array): MaskCorrection[] {
  const { crypto, cohortDigest } = state;
  return state.survivorIds.map((id) => {
    const member = state.cohort[state.members.indexOf(id)] as Member;
    const shared = crypto.sharedKey(member.bundle.maskKey, maskKey);
    const seed = pairSeed(cohortDigest, id, dropped, shared, crypto);
    wipe(shared);
    return { seed, sign: pairSign(id, dropped) === 1 ? (-1 as const) : (1 as const) };
  });
}

function collectShares(state: Unmasking): Map<ClientId, Share[]> {
  const shares = new Map<ClientId, Share[]>();
  for (const [holder, records] of [...state.replies].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const point = state.members.indexOf(holder) + 1;
    for (const { index, body } of records) {
      const owner = state.members[index] as ClientId;
      const list = shares.get(owner) ?? [];
      list.push({ holder, point, body });
      shares.set(owner, list);
    }
  }
  return shares;
}

type Coefficients = (points: readonly number[]) => Uint16Array;

/** Lagrange coefficients are the same for every secret shared at the same points. */
function coefficientCache(): Coefficients {
  const known = new Map<string, Uint16Array>();
  return (points) => {
    const name = points.join(',');
    const found = known.get(name) ?? lagrangeAtZero(points);
    known.set(name, found);
    return found;
  };
}

function reconstruct(
  shares: readonly Share[],
  threshold: number,
  fits: (secret: Uint8Array) => boolean,
  coefficients: Coefficients,
  culprits: Set<ClientId>,
): Uint8Array | undefined {
  const trusted = [
    ...shares.filter(({ holder }) => !culprits.has(holder)),
    ...shares.filter(({ holder }) => culprits.has(holder)),
  ];
  for (const chosen of candidateSets(trusted, threshold)) {
    const secret = combine(chosen, coefficients);
    if (!fits(secret)) {
      wipe(secret);
      continue;
    }
    if (chosen.some((share, i) => share !== trusted[i]))
      nameCulprits(trusted, chosen, secret, coefficients, culprits);
    return secret;
  }
  return undefined;
}

const combine = (shares: readonly Share[], coefficients: Coefficients): Uint8Array =>
  combineShares(
    shares.map(({ body }) => body),
    coefficients(shares.map(({ point }) => point)),
  );

/** The first t shares; then sets with one, then runs of others left out, up to the bound. */
function* candidateSets(shares: readonly Share[], threshold: number): Generator<readonly Share[]> {
  yield shares.slice(0, threshold);
  const spare = shares.length - threshold;
  let tries = 0;
  for (let left = 1; left <= spare; left++) {
    for (let start = 0; start + left <= shares.length && tries < MOST_TRIES; start++, tries++) {
      const kept = [...shares.slice(0, start), ...shares.slice(start + left)];
      yield kept.slice(0, threshold);
    }
  }
}

/** A share is wrong when, put in the place of one good share, it gives another secret. */
function nameCulprits(
  shares: readonly Share[],
  good: readonly Share[],
  secret: Uint8Array,
  coefficients: Coefficients,
  culprits: Set<ClientId>,
): void {
  for (const share of shares) {
    if (good.includes(share)) continue;
    const swapped = combine([...good.slice(1), share], coefficients);
    if (!equalBytes(swapped, secret)) culprits.add(share.holder);
    wipe(swapped);
  }
}

/**
 * Takes the masks away from a group's running sum, in place: afterwards it is the exact sum of the survivors' quantised
 * inputs modulo 2³². Seeds are wiped as they are used.
 */
export function applyCorrections(
  sum: Uint32Array,
  corrections: readonly MaskCorrection[],
  crypto: CryptoSuite,
): void {
  for (const { seed, sign } of corrections) {
    crypto.addKeystream(sum, seed, sign);
    wipe(seed);
  }
}
