import type { ClientId, CohortDigest, CryptoSuite, RoundDigest } from './crypto-suite.ts';
import { RefusalError, type AbortReason, type RefusalReason } from './errors.ts';
import type { GraphRules, GroupGraph, GroupShape } from './graph.ts';
import type { Member } from './key-bundle.ts';
import type { Indexed } from './share-records.ts';

/** The phases of a group on the coordinator, each with exactly what is known then; the transitions are beside this file. */

/** A message that is not taken: the state stays as it was. */
export interface Refused {
  readonly refused: RefusalReason;
  readonly detail: string;
}

/** The exchange ended without a sum. */
export interface Aborted {
  readonly phase: 'aborted';
  readonly reason: AbortReason;
}

/** What a group knows from its beginning. */
export interface Common {
  readonly crypto: CryptoSuite;
  readonly roundDigest: RoundDigest;
  readonly rules: GraphRules;
}

/** Phase 1: bundles come in. */
export interface Advertising extends Common {
  readonly phase: 'advertise-keys';
  readonly largest: number;
  readonly smallest: number;
  readonly bundles: ReadonlyMap<ClientId, Member>;
  /** Keys that members showed; see checkKeys. */
  readonly keys: ReadonlySet<string>;
}

/** What is fixed once the cohort is closed. */
export interface InCohort extends Common {
  /** U1, sorted by id; a position in it names a member on the wire. */
  readonly members: readonly ClientId[];
  readonly cohort: readonly Member[];
  readonly positions: ReadonlyMap<ClientId, number>;
  readonly cohortDigest: CohortDigest;
  readonly shape: GroupShape;
}

/** Between phases 1 and 2, sparse groups only: members reveal what they committed to, so that nobody chose the graph. */
export interface Revealing extends InCohort {
  readonly phase: 'reveal-nonces';
  /** Every member's bundle, in order. */
  readonly roster: Uint8Array;
  readonly nonces: ReadonlyMap<ClientId, Uint8Array>;
}

/** The neighbours are known. */
export interface InGraph extends InCohort {
  readonly graph: GroupGraph;
}

/** Phase 2: sealed shares come in. */
export interface Sharing extends InGraph {
  readonly phase: 'share-keys';
  readonly roster: Uint8Array;
  /** Those who may share: on a sparse graph, who revealed a nonce. */
  readonly asked: readonly ClientId[];
  /** On a sparse graph: the members' nonces in roster order, zeros for who did not reveal one. */
  readonly nonces: Uint8Array | undefined;
  readonly shares: ReadonlyMap<ClientId, readonly Indexed[]>;
}

/** Phase 3: masked inputs are counted. */
export interface Collecting extends InGraph {
  readonly phase: 'masked-input';
  /** U2. */
  readonly sharers: readonly ClientId[];
  readonly counted: ReadonlySet<ClientId>;
  /** What `member` of U2 was sent by its neighbours in U2. */
  relay(member: ClientId): Uint8Array;
}

/** Who is in the sum is decided. */
interface Closed extends InGraph {
  readonly sharers: readonly ClientId[];
  /** U3 as a bitmap over the roster. */
  readonly survivors: Uint8Array;
  readonly survivorIds: readonly ClientId[];
  readonly droppedIds: readonly ClientId[];
}

/** Phase 4, active mode: survivors sign who survived. */
export interface Signing extends Closed {
  readonly phase: 'survivors';
  readonly signatures: ReadonlyMap<ClientId, Uint8Array>;
}

/** Phase 5: unmask shares come in. */
export interface Unmasking extends Closed {
  readonly phase: 'unmask';
  /** Those who may answer: the survivors, in active mode those who signed and can show enough signatures. */
  readonly asked: readonly ClientId[];
  /** Active mode: records of the signatures of a member's neighbours. */
  signatures?(member: ClientId): Uint8Array;
  readonly replies: ReadonlyMap<ClientId, readonly Indexed[]>;
}

/** Any phase of a group on the coordinator. */
export type GroupState = Advertising | Revealing | Sharing | Collecting | Signing | Unmasking | Aborted;

/** A refusal as a value. */
export const refuse = (refused: RefusalReason, detail: string): Refused => ({ refused, detail });

/** The value that a refusal of a decoder or check is; anything else is thrown on. */
export function refusalOf(error: unknown): Refused {
  if (error instanceof RefusalError) return refuse(error.reason, error.detail);
  throw error;
}

/** Whether a transition's answer is a refusal. */
export function isRefused<T>(answer: T | Refused): answer is Refused {
  return typeof answer === 'object' && answer !== null && 'refused' in answer;
}

/** The fields that every later phase keeps. */
export function inGraph(state: InGraph): InGraph {
  const { crypto, roundDigest, rules, members, cohort, positions, cohortDigest, shape, graph } = state;
  return { crypto, roundDigest, rules, members, cohort, positions, cohortDigest, shape, graph };
}

/** Position of a member in the roster. */
export const positionOf = ({ positions }: InCohort, id: ClientId): number => positions.get(id) ?? -1;

/** Ids of a member's neighbours. */
export const neighboursOf = (state: InGraph, id: ClientId): ClientId[] =>
  state.graph.neighbours(positionOf(state, id)).map((at) => state.members[at] as ClientId);
