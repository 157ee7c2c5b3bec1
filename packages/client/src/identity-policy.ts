import { numberFrom, oneOf, wholeFrom, type Rule } from '@tutti/base';
import { IDENTITY_LEVELS, MOST_KNOWN, reachesLevel, type IdentityLevel } from '@tutti/identity';
import type { DeclineReason, RoundDescription } from '@tutti/protocol';

/** What a device asks about who the others are. */
export interface IdentityPolicy {
  /** Weakest level of identity: with `enrolled`, a coordinator that invents clients is refused too. */
  readonly identity: IdentityLevel;
  /** Public keys of the authorities that this device trusts, 64 hexadecimal digits each; never taken from a coordinator. */
  readonly authorities: readonly string[];
  /** Level `pinned`: share of a group's other members that must be known, from 0 to 1. */
  readonly knownShare: number;
  /** Level `pinned`: known members from which on that is asked for. */
  readonly knownEnough: number;
  /** Level `pinned`: days since a member was met first from which on it is known. */
  readonly knownAfterDays: number;
}

/** What a device asks unless its app asks for more. */
export const DEFAULT_IDENTITY_POLICY: IdentityPolicy = {
  identity: 'open',
  authorities: [],
  knownShare: 0.5,
  knownEnough: 64,
  knownAfterDays: 7,
};

/** Authorities that a device trusts at most: one, or two while a key is changed; more is a mistake. */
const MOST_AUTHORITIES = 16;

const isPublicKey = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);

/** What each field may be. */
export const ALLOWED_IDENTITY: Readonly<Record<keyof IdentityPolicy, Rule>> = {
  identity: oneOf(IDENTITY_LEVELS),
  authorities: [
    (value) => Array.isArray(value) && value.length <= MOST_AUTHORITIES && value.every(isPublicKey),
    `a list of at most ${MOST_AUTHORITIES} public keys, 64 lower-case hexadecimal digits each,`,
  ],
  knownShare: numberFrom(0, 1),
  knownEnough: wholeFrom(1, MOST_KNOWN),
  knownAfterDays: numberFrom(0, 3_650),
};

/** What does not fit together in a policy. */
export function identityPolicyProblems({ identity, authorities }: IdentityPolicy): string[] {
  return reachesLevel(identity, 'enrolled') && authorities.length === 0
    ? [`policy.identity is ${identity}; policy.authorities must then name whom this device trusts`]
    : [];
}

/** The level must be strong enough, for active mode in any case, and its authority one of those that the app trusts. */
export function identityReason(
  policy: IdentityPolicy,
  { identity, mode }: RoundDescription,
): DeclineReason | undefined {
  const isStrong = reachesLevel(identity.level, policy.identity);
  if (!isStrong || (mode === 'active' && !reachesLevel(identity.level, 'enrolled')))
    return 'identity-too-weak';
  return 'authority' in identity && !policy.authorities.includes(identity.authority)
    ? 'wrong-authority'
    : undefined;
}
