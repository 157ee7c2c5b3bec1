/**
 * The sum without the summands: double masking with Shamir sharing (Bonawitz et al. 2017), as pure transitions from one
 * phase to the next. It does not know what the vector means.
 *
 * ```ts
 * import { systemRandom } from '@tutti/base';
 * import { advertiseKeys, type RoundDigest } from '@tutti/secure-aggregation';
 * import { portableCrypto as crypto } from '@tutti/secure-aggregation/portable';
 *
 * const random = systemRandom();
 * const { bundle } = advertiseKeys({
 *   roundDigest: crypto.digest('round', new Uint8Array(0)) as RoundDigest,
 *   identity: crypto.signKeyPair(random),
 *   random,
 *   crypto,
 * });
 * console.log(bundle.length);
 * ```
 */
export { answerSigned, answerUnmask, maskInput, signSurvivors } from './client-input.ts';
export { advertiseKeys, enterCohort, shareKeys } from './client-keys.ts';
export type { AdvertiseOptions, CohortRules } from './client-keys.ts';
export { abandon } from './client-state.ts';
export type {
  ClientAdvertised,
  ClientEntered,
  ClientFinished,
  ClientMasked,
  ClientPhase,
  ClientShared,
  ClientSigned,
} from './client-state.ts';
export type { ClientId, CohortDigest, CryptoSuite, KeyPair, RoundDigest } from './crypto-suite.ts';
export {
  ABORT_REASONS,
  InvalidKeyError,
  NoGraphError,
  REFUSAL_REASONS,
  RefusalError,
  RingBudgetError,
} from './errors.ts';
export type { AbortReason, RefusalReason } from './errors.ts';
export { findGraph } from './find-graph.ts';
export type { GraphParameters, GraphQuestion } from './search-graph.ts';
export { wasmKeystream } from './keystream.ts';
export type { AddKeystream, AddKeystreams, KeystreamGenerator, MaskStream } from './keystream.ts';
export {
  fewestSurvivors,
  groupShape,
  LARGEST_COMPLETE_GRAPH,
  LARGEST_GROUP,
  MODES,
  NONCE_BYTES,
  smallestGroup,
  SMALLEST_COHORTS,
} from './graph.ts';
export type { GraphRules, GroupShape, Mode } from './graph.ts';
export { clientIdOf, parseClientId } from './ids.ts';
export { decodeKeyBundle, KEY_BUNDLE_BYTES, TOKEN_BYTES } from './key-bundle.ts';
export type { KeyBundle, Member } from './key-bundle.ts';
export { recoverMasks, wipeReplies } from './recovery.ts';
export { addInto, checkRingBudget, fitsRing, toSigned, WORD_BITS } from './ring.ts';
export type { MaskedInput, QuantizedInput, RingBudget, WordBits } from './ring.ts';
export { addSignature, addUnmaskReply, closeInputs, closeSignatures, countInput } from './server-input.ts';
export {
  addBundle,
  addNonce,
  addShares,
  closeKeys,
  closeNonces,
  closeShares,
  collectKeys,
} from './server-keys.ts';
export { isRefused } from './server-state.ts';
export type {
  Aborted,
  Advertising,
  Collecting,
  GroupState,
  Refused,
  Revealing,
  Sharing,
  Signing,
  Unmasking,
} from './server-state.ts';
export { SEALED_SHARE_BYTES, SIGNATURE_RECORD_BYTES } from './share-records.ts';
export { localUnmasker, removeMasks, UnmaskingError, wipeMasks } from './unmask.ts';
export type { Peer, RecoveredMasks, RecoveredSecret, Unmasker } from './unmask.ts';
