import type { DeclineReason, Reply, RoundAbortReason, RoundDescription } from '@tutti/protocol';
import type { ClientId, CryptoSuite, RoundDigest } from '@tutti/secure-aggregation';
import type { ClientEvent, ExchangePhase, Group } from './groups.ts';
import type { GrowingMap } from './growing-map.ts';
import type { MemberCheck } from './identity.ts';
import type { DropPhase } from './journal.ts';

/** What an attempt is in each of its phases, what can happen to it, and what it asks for. */

/** What an attempt knows from its beginning. */
interface Common {
  readonly description: RoundDescription;
  readonly digest: RoundDigest;
  readonly crypto: CryptoSuite;
  /** What a client that shows its keys is checked for beyond them. */
  readonly checkMember: MemberCheck;
  readonly selected: ReadonlySet<ClientId>;
  readonly declined: ReadonlyMap<ClientId, DeclineReason>;
  readonly drops: Readonly<Record<DropPhase, number>>;
}

/** Selected clients train; each that is done shows its keys. */
export interface Training extends Common {
  readonly phase: 'train';
  readonly ready: GrowingMap<ClientId, Uint8Array>;
}

/** The cohort is closed and its groups exchange. */
export interface Exchanging extends Common {
  readonly phase: ExchangePhase;
  readonly groups: readonly Group[];
  readonly groupOf: ReadonlyMap<ClientId, number>;
}

/** Every group that can be summed is ready for it. */
export interface Summing extends Common {
  readonly phase: 'sum';
  readonly groups: readonly Group[];
  readonly groupOf: ReadonlyMap<ClientId, number>;
}

/** It ended without a result. */
export interface Failed extends Common {
  readonly phase: 'failed';
  readonly reason: RoundAbortReason;
  readonly groupOf: ReadonlyMap<ClientId, number>;
}

export type Attempt = Training | Exchanging | Summing | Failed;

/** What can happen to an attempt. */
export type AttemptEvent = ClientEvent | { readonly type: 'deadline'; readonly phase: Attempt['phase'] };

/** A message to a client, before it is signed. */
export type Outgoing =
  | { readonly type: 'roster'; readonly group: number; readonly bundles: Uint8Array }
  | { readonly type: 'nonces'; readonly group: number; readonly nonces: Uint8Array }
  | { readonly type: 'relay-shares'; readonly group: number; readonly shares: Uint8Array }
  | { readonly type: 'survivors'; readonly group: number; readonly survivors: Uint8Array }
  | { readonly type: 'survivor-signatures'; readonly group: number; readonly signatures: Uint8Array }
  | { readonly type: 'not-included' };

/** What an attempt asks its surroundings to do. */
export type Effect =
  | { readonly type: 'send'; readonly client: ClientId; readonly message: Outgoing }
  | { readonly type: 'open-sum'; readonly group: number }
  | { readonly type: 'timer'; readonly phase: Attempt['phase']; readonly afterMs: number };

/** The next state, what to do, and what to answer who asked. */
export interface Step {
  readonly attempt: Attempt;
  readonly effects: readonly Effect[];
  readonly reply: Reply;
}
