import { EnvironmentError } from '@tutti/base';
import { IdentityError } from '@tutti/identity';
import type { DeclineReason } from '@tutti/protocol';
import { RefusalError } from '@tutti/secure-aggregation';

/** A device takes no part, for a reason that it tells. */
export class Declined extends Error {
  constructor(readonly reason: DeclineReason) {
    super(reason);
  }
}

/** What a device tells of whatever ended an attempt for it. */
export function reasonOf(error: unknown): DeclineReason {
  if (error instanceof Declined) return error.reason;
  if (error instanceof RefusalError || error instanceof IdentityError) return error.reason;
  // Such as a store that is full.
  return error instanceof EnvironmentError ? 'environment-failed' : 'training-failed';
}
