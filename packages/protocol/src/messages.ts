import { LOG_PROBLEMS, MEMBER_PROBLEMS } from '@tutti/identity';
import {
  ABORT_REASONS,
  KEY_BUNDLE_BYTES,
  NONCE_BYTES,
  REFUSAL_REASONS,
  SEALED_SHARE_BYTES,
  SIGNATURE_RECORD_BYTES,
} from '@tutti/secure-aggregation';
import { roundDescriptionSchema } from './description.ts';
import { attemptNumber, hex32, taskName, waitMs } from './fields.ts';
import { FRAME_BYTES, MAX_GROUP, MAX_VECTOR_WORDS, PROTOCOL_VERSION, ROSTER_PAGE_MEMBERS } from './limits.ts';
import {
  integer,
  listOf,
  object,
  oneKindOf,
  oneOf,
  optional,
  textUpTo,
  type Decoded,
  type Decoder,
} from './schema.ts';

/** Why a client does not take part: its own policy, its state, or something wrong with what it was shown. */
export const DECLINE_REASONS = [
  'not-eligible',
  'no-data',
  'cohort-too-small',
  'noise-too-weak',
  'central-noise-refused',
  'privacy-budget-spent',
  'clip-too-large',
  'plain-refused',
  'mode-too-weak',
  'identity-too-weak',
  'wrong-authority',
  'stale-description',
  'bad-signature',
  'wrong-coordinator',
  'wrong-model',
  'training-failed',
  'environment-failed',
  'consent-withdrawn',
  ...MEMBER_PROBLEMS,
  ...LOG_PROBLEMS,
  ...REFUSAL_REASONS,
] as const;
export type DeclineReason = (typeof DECLINE_REASONS)[number];

/** Why an attempt ended without a result. */
export const ROUND_ABORT_REASONS = [
  ...ABORT_REASONS,
  'too-few-ready',
  'coordinator-restarted',
  'task-stopped',
  'internal-error',
] as const;
export type RoundAbortReason = (typeof ROUND_ABORT_REASONS)[number];

/** Why the coordinator did not take a message. */
export const WIRE_REFUSALS = [
  'malformed',
  'not-greeted',
  'bad-signature',
  'unknown-task',
  'unknown-attempt',
  'not-in-cohort',
  'wrong-phase',
  'too-late',
  'already-counted',
  'frame-out-of-order',
  'too-large',
  'too-busy',
  'task-finished',
  ...MEMBER_PROBLEMS,
  ...REFUSAL_REASONS,
] as const;
export type WireRefusal = (typeof WIRE_REFUSALS)[number];

/** Least and most bytes of a binary part. */
type Size = readonly [least: number, most: number];
interface Definition {
  readonly code: number;
  readonly header: Decoder<unknown>;
  readonly parts: Readonly<Record<string, Size>>;
}
const define = <H extends Decoder<unknown>, P extends Readonly<Record<string, Size>>>(
  code: number,
  header: H,
  parts: P,
) => ({
  code,
  header,
  parts,
});

const inAttempt = { attempt: attemptNumber };
const inGroup = { attempt: attemptNumber, group: integer(0, 65_535) };
const EMPTY = object({});
const SIGNATURE: Size = [64, 64];

/** What a client says. Codes 1 to 31. */
export const CLIENT_MESSAGES = {
  /** Shows possession of the identity key; answers `challenge`. */
  hello: define(1, object({ protocol: integer(0, 255), task: taskName }), {
    identityKey: [32, 32],
    signature: SIGNATURE,
  }),
  /** "I could take part now." Answered by `waiting` or `later`. */
  'check-in': define(2, EMPTY, {}),
  decline: define(3, object({ ...inAttempt, reason: oneOf(DECLINE_REASONS) }), {}),
  /** Trained and ready: this attempt's key bundle (empty where the attempt is plain). */
  'advertise-keys': define(4, object(inAttempt), { bundle: [0, KEY_BUNDLE_BYTES] }),
  'share-keys': define(5, object(inAttempt), { shares: [0, MAX_GROUP * SEALED_SHARE_BYTES] }),
  /** One frame of the masked vector: frame `index` of `count`, `totalBytes` in all; words of 3 or 4 bytes, as described. */
  'masked-input': define(
    6,
    object({
      ...inAttempt,
      index: integer(0, 65_535),
      count: integer(1, 65_536),
      totalBytes: integer(3, 4 * MAX_VECTOR_WORDS),
    }),
    { bytes: [3, FRAME_BYTES] },
  ),
  unmask: define(7, object(inAttempt), { shares: [0, MAX_GROUP * 64] }),
  /** Sparse groups: the graph nonce that the bundle committed to; answers `roster`. */
  'reveal-nonce': define(8, object(inAttempt), { nonce: [NONCE_BYTES, NONCE_BYTES] }),
  /** Active mode: this client's signature of who survived; answers `survivors`. */
  'sign-survivors': define(9, object(inAttempt), { signature: SIGNATURE }),
} as const satisfies Record<string, Definition>;

/** What the coordinator sends without being asked. Codes 32 to 63. */
export const COORDINATOR_MESSAGES = {
  /** First on every connection. */
  challenge: define(32, object({ protocols: listOf(integer(0, 255), 1, 16) }), {
    nonce: [32, 32],
    coordinatorKey: [32, 32],
  }),
  describe: define(33, object({ description: roundDescriptionSchema }), { signature: SIGNATURE }),
  /** Page `page` (from 0) of `pages` of a group's key bundles; the last asks for shares, or on a sparse graph for the nonce. */
  roster: define(34, object({ ...inGroup, page: integer(0, 15), pages: integer(1, 16) }), {
    bundles: [KEY_BUNDLE_BYTES, ROSTER_PAGE_MEMBERS * KEY_BUNDLE_BYTES],
    signature: SIGNATURE,
  }),
  /** Shares addressed to this client; asks for its masked input (empty where the attempt is plain). */
  'relay-shares': define(35, object(inGroup), {
    shares: [0, MAX_GROUP * SEALED_SHARE_BYTES],
    signature: SIGNATURE,
  }),
  /** U3 as a bitmap over the roster; asks for the unmask shares, or in active mode for a signature. */
  survivors: define(36, object(inGroup), { survivors: [1, MAX_GROUP / 8], signature: SIGNATURE }),
  /** Sparse groups: every member's nonce in roster order, zeros for who revealed none; asks for the shares. */
  nonces: define(38, object(inGroup), {
    nonces: [NONCE_BYTES, MAX_GROUP * NONCE_BYTES],
    signature: SIGNATURE,
  }),
  /** Active mode: what this client's neighbours signed; asks for the unmask shares. */
  'survivor-signatures': define(39, object(inGroup), {
    signatures: [0, MAX_GROUP * SIGNATURE_RECORD_BYTES],
    signature: SIGNATURE,
  }),
  outcome: define(
    37,
    oneKindOf('outcome', {
      committed: {
        ...inAttempt,
        round: integer(1, 0xffff_ffff),
        modelHash: hex32,
        survivors: integer(1, 1_000_000),
      },
      aborted: { ...inAttempt, reason: oneOf(ROUND_ABORT_REASONS) },
      /** Dropped at a deadline, or ready after the cohort was full. */
      'not-included': inAttempt,
    }),
    {},
  ),
} as const satisfies Record<string, Definition>;

/** What the coordinator answers to a client's message. Codes 64 to 95. */
export const REPLIES = {
  welcome: define(64, object({ protocol: oneOf([PROTOCOL_VERSION]) }), {}),
  /** Checked in: stay connected; check in again if nothing came until then. */
  waiting: define(65, object({ checkAgainMs: waitMs }), {}),
  /** Not now: come back then (pace steering). */
  later: define(66, object({ retryAfterMs: waitMs }), {}),
  /** It counts. `next` is the frame that is expected after this one. */
  accepted: define(67, object({ next: optional(integer(0, 65_536)) }), {}),
  refused: define(
    68,
    object({
      reason: oneOf(WIRE_REFUSALS),
      field: textUpTo(200),
      problem: textUpTo(500),
      /** With `frame-out-of-order`: the frame that is expected. */
      next: optional(integer(0, 65_536)),
      /** With `too-busy`: when it may be sent again. */
      retryAfterMs: optional(waitMs),
    }),
    {},
  ),
} as const satisfies Record<string, Definition>;

type MessageOf<Table extends Record<string, Definition>> = {
  [Type in keyof Table]: Readonly<
    { type: Type } & Decoded<Table[Type]['header']> & { [Part in keyof Table[Type]['parts']]: Uint8Array }
  >;
}[keyof Table];

export type ClientMessage = MessageOf<typeof CLIENT_MESSAGES>;
export type CoordinatorMessage = MessageOf<typeof COORDINATOR_MESSAGES>;
export type Reply = MessageOf<typeof REPLIES>;
/** Every message that crosses a wire. */
export type Message = ClientMessage | CoordinatorMessage | Reply;
/** The client message of one type. */
export type ClientMessageOf<Type extends ClientMessage['type']> = Extract<ClientMessage, { type: Type }>;
/** The coordinator message of one type. */
export type CoordinatorMessageOf<Type extends CoordinatorMessage['type']> = Extract<
  CoordinatorMessage,
  { type: Type }
>;
