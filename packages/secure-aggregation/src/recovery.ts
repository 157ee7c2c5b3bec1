import { equalBytes, wipe } from '@tutti/base';
import type { ClientId } from './crypto-suite.ts';
import type { Member } from './key-bundle.ts';
import { wrongValues } from './reed-solomon.ts';
import { combineShares, lagrangeAtZero } from './shamir.ts';
import { neighboursOf, positionOf, type Aborted, type Unmasking } from './server-state.ts';
import type { Peer, RecoveredMasks, RecoveredSecret } from './unmask.ts';

interface Share {
  readonly holder: ClientId;
  readonly point: number;
  readonly body: Uint8Array;
}

/** Sets of shares that are tried, at most, where nobody can tell who lied: bounds the work a liar can cause. */
const MOST_TRIES = 512;

/**
 * Phase 6. Reconstructs the self seed of every survivor and the mask key of every dropped member of U2, checking each
 * against what its owner advertised. The secrets belong to the caller: an {@link Unmasker} wipes them. Where that does not fit, wrong shares are found, left out, and their senders named: up to
 * half of what there are beyond the threshold, which no colluders can turn against others. A wrong share may also be the doing
 * of who dealt it.
 */
export function recoverMasks(state: Unmasking): RecoveredMasks | Aborted {
  const sharesOf = collectShares(state);
  const coefficients = coefficientCache();
  const culprits = new Set<ClientId>();
  const secrets: RecoveredSecret[] = [];
  const { crypto, cohortDigest } = state;
  const abort = (reason: Aborted['reason']): Aborted => {
    wipe(...secrets.map(({ secret }) => secret));
    return { phase: 'aborted', reason };
  };
  const { threshold } = state.shape;
  const survivors = new Set(state.survivorIds);
  for (const id of state.sharers) {
    const member = state.cohort[positionOf(state, id)] as Member;
    const survived = survivors.has(id);
    const shares = sharesOf.get(id) ?? [];
    if (shares.length < threshold) return abort('too-few-unmask-shares');
    const fits = survived
      ? (secret: Uint8Array) =>
          equalBytes(crypto.digest('commit-seed', state.roundDigest, secret), member.bundle.seedCommitment)
      : (secret: Uint8Array) => equalBytes(crypto.publicKeyOf(secret), member.bundle.maskKey);
    const secret = reconstruct(shares, threshold, fits, coefficients, culprits);
    if (secret === undefined) return abort('unrecoverable-masks');
    secrets.push(
      survived
        ? { kind: 'self-seed', owner: id, secret }
        : { kind: 'mask-key', owner: id, secret, peers: peersOf(state, survivors, id) },
    );
  }
  return { phase: 'recovered', cohortDigest, secrets, culprits: [...culprits].sort() };
}

/** Wipes the shares that came: call it when {@link recoverMasks} took from them what there is, or nobody will. */
export function wipeReplies({ replies }: Unmasking): void {
  for (const records of replies.values()) wipe(...records.map(({ body }) => body));
}

/** The neighbours of a dropped member whose inputs are in the sum. */
function peersOf(state: Unmasking, survivors: ReadonlySet<ClientId>, dropped: ClientId): Peer[] {
  return neighboursOf(state, dropped)
    .filter((id) => survivors.has(id))
    .map((id) => ({ id, maskKey: (state.cohort[positionOf(state, id)] as Member).bundle.maskKey }));
}

function collectShares(state: Unmasking): Map<ClientId, Share[]> {
  const shares = new Map<ClientId, Share[]>();
  for (const [holder, records] of [...state.replies].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const point = positionOf(state, holder) + 1;
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
  const trusted = shares.filter(({ holder }) => !culprits.has(holder));
  const known = tryShares(trusted, threshold, fits, coefficients);
  if (known !== undefined) return known;
  // Somebody lied, perhaps also about whom: what most shares agree on decides, as long as liars are few enough.
  const wrong = wrongShares(shares, threshold);
  const right = shares.filter((share) => !wrong.has(share));
  const secret = tryShares(right, threshold, fits, coefficients);
  if (secret === undefined) return leavingOut(trusted, threshold, fits, coefficients);
  for (const { holder } of wrong) culprits.add(holder);
  return secret;
}

/** With too few shares to say who lied: sets with one or two left out, until one fits. Nobody is named. */
function leavingOut(
  shares: readonly Share[],
  threshold: number,
  fits: (secret: Uint8Array) => boolean,
  coefficients: Coefficients,
): Uint8Array | undefined {
  let tries = 0;
  for (let one = 0; one < shares.length; one++)
    for (let other = one; other < shares.length && tries < MOST_TRIES; other++, tries++) {
      const kept = shares.filter((_, i) => i !== one && i !== other);
      const secret = tryShares(kept, threshold, fits, coefficients);
      if (secret !== undefined) return secret;
    }
  return undefined;
}

/** The secret of the first t shares, if it is the one that its owner committed to. */
function tryShares(
  shares: readonly Share[],
  threshold: number,
  fits: (secret: Uint8Array) => boolean,
  coefficients: Coefficients,
): Uint8Array | undefined {
  if (shares.length < threshold) return undefined;
  const chosen = shares.slice(0, threshold);
  const secret = combineShares(
    chosen.map(({ body }) => body),
    coefficients(chosen.map(({ point }) => point)),
  );
  if (fits(secret)) return secret;
  wipe(secret);
  return undefined;
}

/** Shares that do not lie on the one polynomial that most others lie on, in any of their elements. */
function wrongShares(shares: readonly Share[], threshold: number): Set<Share> {
  const wrong = new Set<Share>();
  const points = shares.map(({ point }) => point);
  const elements = (shares[0]?.body.length ?? 0) / 2;
  for (let element = 0; element < elements; element++) {
    const values = shares.map(
      ({ body }) => (body[2 * element] as number) | ((body[2 * element + 1] as number) << 8),
    );
    for (const at of wrongValues(points, values, threshold) ?? []) wrong.add(shares[at] as Share);
  }
  return wrong;
}
