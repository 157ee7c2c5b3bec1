import { FederatedError } from '@tutti/base';

/** Why a party does not accept what it was shown. */
export const REFUSAL_REASONS = [
  'malformed',
  'bad-signature',
  'wrong-round',
  'own-bundle-missing',
  'own-bundle-changed',
  'not-a-member',
  'duplicate-member',
  'duplicate-key',
  'low-order-key',
  'unsorted-roster',
  'cohort-too-small',
  'cohort-full',
  'wrong-phase',
  'already-answered',
  'share-missing',
  'share-unreadable',
  'vector-length',
  'called-dropped',
  'survivors-outside-cohort',
  'too-few-survivors',
  'nonce-mismatch',
  'too-few-nonces',
  'too-few-signatures',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** Why a group's exchange ended without a sum. */
export const ABORT_REASONS = [
  'too-few-clients',
  'too-few-nonces',
  'too-few-sharers',
  'too-few-survivors',
  'too-few-signatures',
  'too-few-unmask-shares',
  'unrecoverable-masks',
] as const;
export type AbortReason = (typeof ABORT_REASONS)[number];

/** The other side showed something that must not be accepted; `reason` is from a closed list. */
export class RefusalError extends FederatedError {
  override readonly name = 'RefusalError';
  readonly code = 'secure-aggregation/refused';
  readonly fault = 'peer' as const;
  constructor(
    readonly reason: RefusalReason,
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    super(`${reason}: ${detail}`, options);
  }
}

/** A public key that gives a shared secret known to everybody (one of the low-order points). */
export class InvalidKeyError extends FederatedError {
  override readonly name = 'InvalidKeyError';
  readonly code = 'secure-aggregation/invalid-key';
  readonly fault = 'peer' as const;
  constructor(problem: string, options?: ErrorOptions) {
    super(problem, options);
  }
}

/** The largest sum does not fit the ring: it would wrap and be wrong without a sign of it. */
export class RingBudgetError extends FederatedError {
  override readonly name = 'RingBudgetError';
  readonly code = 'secure-aggregation/ring-budget';
  readonly fault = 'caller' as const;
  constructor(
    readonly largestSum: number,
    readonly limit: number,
  ) {
    super(`a sum can reach ${largestSum}; it must stay below ${limit}`);
  }
}

/** No k-regular graph keeps its promises under so much loss. */
export class NoGraphError extends FederatedError {
  override readonly name = 'NoGraphError';
  readonly code = 'secure-aggregation/no-graph';
  readonly fault = 'caller' as const;
  constructor(
    readonly members: number,
    readonly corrupt: number,
    readonly dropped: number,
  ) {
    super(
      `no graph over ${members} members survives ${corrupt} corrupt and ${dropped} dropped ones; ask for fewer, or for a larger group`,
    );
  }
}
