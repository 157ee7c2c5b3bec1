import { FederatedError } from '@tutti/base';

/** Why a member is not accepted. */
export const MEMBER_PROBLEMS = [
  'token-missing',
  'token-malformed',
  'token-wrong-authority',
  'token-expired',
  'token-forged',
  'not-in-log',
  'too-few-known',
] as const;
export type MemberProblem = (typeof MEMBER_PROBLEMS)[number];

/** Why an authority's log is not believed. */
export const LOG_PROBLEMS = ['log-head-forged', 'log-forked', 'log-went-back', 'log-unproven'] as const;
export type LogProblem = (typeof LOG_PROBLEMS)[number];

/** A member, or the log that it should stand in, must not be accepted; `reason` is from a closed list. */
export class IdentityError extends FederatedError {
  override readonly name = 'IdentityError';
  readonly code = 'identity/refused';
  readonly fault = 'peer' as const;
  constructor(
    readonly reason: MemberProblem | LogProblem,
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    super(`${reason}: ${detail}`, options);
  }
}
