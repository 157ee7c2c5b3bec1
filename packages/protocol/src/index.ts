/**
 * Every message that crosses a wire between a client and a coordinator: one table gives each message its number, its
 * type, its decoder and its limits. Everything is decoded from `unknown`; a value branded `LocalOnly` has no codec.
 *
 * ```ts
 * import { decodeClientMessage, encodeMessage } from '@tutti/protocol';
 *
 * const bytes = encodeMessage({ type: 'decline', attempt: 3, reason: 'not-eligible' });
 * const message = decodeClientMessage(bytes); // throws DecodeError with the field's path
 * ```
 */
export {
  decodeClientMessage,
  decodeCoordinatorMessage,
  decodeReply,
  encodeMessage,
  viewClientMessage,
} from './codec.ts';
export {
  decodeDescription,
  graphRules,
  helloDigest,
  phaseDigest,
  PROTECTIONS,
  PURPOSES,
  roundDigest,
} from './description.ts';
export type { RoundDescription, VerifiedDescription } from './description.ts';
export { tokenNeededUntil } from './identity.ts';
export type { RoundIdentity } from './identity.ts';
export { addUpload, frameCount, frameOf, openUpload, takeFrame, wipeUpload, wordBytes } from './frames.ts';
export type { FrameResult, Upload } from './frames.ts';
export {
  FRAME_BYTES,
  MAX_GROUP,
  MAX_ITEMS,
  MAX_MESSAGE_BYTES,
  MAX_VECTOR_WORDS,
  MAX_WAIT_MS,
  PROTOCOL_VERSION,
  ROSTER_PAGE_MEMBERS,
} from './limits.ts';
export {
  CLIENT_MESSAGES,
  COORDINATOR_MESSAGES,
  DECLINE_REASONS,
  REPLIES,
  ROUND_ABORT_REASONS,
  WIRE_REFUSALS,
} from './messages.ts';
export type {
  ClientMessage,
  ClientMessageOf,
  CoordinatorMessage,
  CoordinatorMessageOf,
  DeclineReason,
  Message,
  Reply,
  RoundAbortReason,
  WireRefusal,
} from './messages.ts';
export { CHANNELS, decodeManifest, manifestDigest, openPromotion, promotionDigest } from './manifest.ts';
export type { Channel, Manifest, Promotion, SignedPromotion } from './manifest.ts';
export { attemptRelease, LANE_KINDS, laneSensitivities } from './release.ts';
export type { AttemptRelease, LaneKind, NoisyClients } from './release.ts';
export { POPULARITY_SHARE, sliceRows, sliceRowsHash, sliceTurn } from './slice.ts';
export type { SliceFacts, SliceShape, SliceTurn } from './slice.ts';
export { decodeTaskInfo } from './task.ts';
export type { TaskInfo } from './task.ts';
