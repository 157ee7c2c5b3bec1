import { wipe, type SecureRandom } from '@tutti/base';
import type { ClientId, CohortDigest, CryptoSuite, KeyPair, RoundDigest } from './crypto-suite.ts';
import { RefusalError } from './errors.ts';
import type { GroupGraph, GroupShape, Mode } from './graph.ts';
import type { Member } from './key-bundle.ts';

/** The phases of a client, each with exactly what is known then; the transitions are beside this file. */

/** Phase 1 is over: keys are made and advertised. */
export interface ClientAdvertised {
  readonly phase: 'advertised';
  readonly id: ClientId;
  readonly roundDigest: RoundDigest;
  readonly encryption: KeyPair;
  readonly mask: KeyPair;
  /** b: the secret of the own mask. */
  readonly seed: Uint8Array;
  /** r: revealed once the cohort is fixed, to order a sparse graph. */
  readonly nonce: Uint8Array;
  readonly bundle: Uint8Array;
  readonly random: SecureRandom;
  readonly crypto: CryptoSuite;
}

/** Where a client stands in a cohort that it accepted. */
export interface Place {
  readonly mode: Mode;
  readonly cohort: CohortDigest;
  readonly members: readonly Member[];
  /** The client's own position in the roster. */
  readonly index: number;
}

/** The roster is accepted; on a sparse graph nobody knows the neighbours yet. */
export interface ClientEntered extends Place {
  readonly phase: 'entered';
  readonly own: ClientAdvertised;
  readonly shape: GroupShape;
}

/** Phase 2 is over: shares are sealed and sent. */
export interface ClientShared extends Place {
  readonly phase: 'shared';
  readonly own: ClientAdvertised;
  readonly graph: GroupGraph;
  /** Sealing key of each neighbour, by position: made once, used to seal and to open. */
  readonly sealingKeys: ReadonlyMap<number, Uint8Array>;
  /** Seed of the mask with each neighbour, by position: agreed on while the others still share their keys. */
  readonly pairSeeds: ReadonlyMap<number, Uint8Array>;
}

/** What a neighbour in U2 entrusted to this client. */
export interface HeldShares {
  readonly index: number;
  readonly seedShare: Uint8Array;
  readonly keyShare: Uint8Array;
}

/** Phase 3 is over: the input is masked; the neighbours' shares are held for phase 5. */
export interface ClientMasked extends Place {
  readonly phase: 'masked';
  readonly crypto: CryptoSuite;
  readonly graph: GroupGraph;
  readonly held: readonly HeldShares[];
}

/** Phase 4, active mode: this client signed who the survivors are, and answers for no others. */
export interface ClientSigned extends Place {
  readonly phase: 'signed';
  readonly crypto: CryptoSuite;
  readonly graph: GroupGraph;
  readonly held: readonly HeldShares[];
  /** U3 as a bitmap over the roster. */
  readonly survivors: Uint8Array;
}

/** The one answer is given; there is nothing left to tell. */
export interface ClientFinished {
  readonly phase: 'finished';
}

/** Any phase of a client in an attempt. */
export type ClientPhase =
  ClientAdvertised | ClientEntered | ClientShared | ClientMasked | ClientSigned | ClientFinished;

/** States that a transition used up, or that were abandoned: their secrets are wiped, and must not be used as zeros. */
const spent = new WeakSet<ClientPhase>();

/** Marks a state that was turned into the next one, which owns its secrets now. */
export function spend(state: ClientPhase): void {
  spent.add(state);
}

/** Wipes every secret of a phase. Call it when an attempt ends early. */
export function abandon(state: ClientPhase): void {
  spend(state);
  if (state.phase === 'advertised') wipeOwn(state);
  if (state.phase === 'entered') wipeOwn(state.own);
  if (state.phase === 'shared') {
    wipeOwn(state.own);
    wipe(...state.sealingKeys.values(), ...state.pairSeeds.values());
  }
  if (state.phase === 'masked' || state.phase === 'signed')
    for (const { seedShare, keyShare } of state.held) wipe(seedShare, keyShare);
}

function wipeOwn(own: ClientAdvertised): void {
  wipe(own.encryption.secretKey, own.mask.secretKey, own.seed, own.nonce);
}

/** Runs a transition once; when it throws, the state's secrets are wiped. @throws {RefusalError} already-answered. */
export function orAbandon<T>(state: ClientPhase, step: () => T): T {
  if (spent.has(state))
    throw new RefusalError('already-answered', `phase ${state.phase} of this attempt is over`);
  try {
    return step();
  } catch (error) {
    abandon(state);
    throw error;
  }
}
