/**
 * Who may take part: enrolment tokens of an authority apart from the coordinator, an append-only signed log of identities, and
 * the members that a device remembers. It signs and checks; sockets, clocks, disks and the crypto suite are passed in.
 *
 * ```ts
 * import { fromHex } from '@tutti/base';
 * import { checkToken, createAuthority } from '@tutti/identity';
 * import { nodeCrypto as crypto } from '@tutti/secure-aggregation/node';
 *
 * const key = crypto.signKeyPairFromSeed(fromHex('07'.repeat(32)));
 * const authority = await createAuthority({ key, crypto });
 * const clientId = '00112233445566778899aabbccddeeff';
 * const { token } = await authority.enrol(clientId, { days: 30 });
 * checkToken(token, { clientId, authority: key.publicKey, now: Date.now() / 1000, crypto });
 * ```
 */
export { createAuthority, DEFAULT_DAYS, MOST_AT_ONCE, MOST_DAYS } from './authority.ts';
export type { Authority, AuthorityOptions, Enrolment, LogStore } from './authority.ts';
export type { AuthorityKey, IdentityCrypto } from './crypto.ts';
export { IdentityError, LOG_PROBLEMS, MEMBER_PROBLEMS } from './errors.ts';
export type { LogProblem, MemberProblem } from './errors.ts';
export { checkKnown, decodeKnown, encodeKnown, meet, MOST_KNOWN } from './known.ts';
export type { KnownMembers, KnownRule, Meeting } from './known.ts';
export { IDENTITY_LEVELS, reachesLevel } from './levels.ts';
export type { IdentityLevel } from './levels.ts';
export { checkGrowth, checkInLog, checkTreeHead, decodeTreeHead, signTreeHead } from './log.ts';
export type { TreeHead } from './log.ts';
export { followLog, jsonLogSource } from './log-source.ts';
export type { LogSource } from './log-source.ts';
export { decodeProof, encodeProof, LONGEST_PROOF } from './merkle.ts';
export { LogMirror } from './mirror.ts';
export { LARGEST_LOG } from './numbers.ts';
export { checkToken, decodeToken, issueToken, TOKEN_BYTES } from './token.ts';
export type { Token, TokenCheck, TokenFields } from './token.ts';
