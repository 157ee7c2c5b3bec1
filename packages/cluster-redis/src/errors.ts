import { FederatedError } from '@tutti/base';

/** Redis does not answer. */
export class RedisUnavailableError extends FederatedError {
  override readonly name = 'RedisUnavailableError';
  readonly code = 'cluster/redis-unavailable';
  readonly fault = 'environment' as const;
  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`Redis does not answer (${reason}); see that it runs, and at that address`, options);
  }
}

/** Another process of the cluster did not answer in time, or is gone. */
export class NoAnswerError extends FederatedError {
  override readonly name = 'NoAnswerError';
  readonly code = 'cluster/no-answer';
  readonly fault = 'environment' as const;
  constructor(
    readonly question: string,
    reason: string,
  ) {
    super(`no answer to ${question}: ${reason}`);
  }
}

/** Another process of the cluster answered that it could not. */
export class AnsweredNoError extends FederatedError {
  override readonly name = 'AnsweredNoError';
  readonly code = 'cluster/answered-no';
  readonly fault = 'environment' as const;
  constructor(
    readonly question: string,
    readonly problem: string,
  ) {
    super(`${question}: ${problem}`);
  }
}

/** Gateways follow an owner with a lease as new: the database lost its last commits, and gave a number again. A greater one is taken. */
export class OutrunError extends FederatedError {
  override readonly name = 'OutrunError';
  readonly code = 'cluster/outrun';
  readonly fault = 'environment' as const;
  constructor(readonly task: string) {
    super(
      `gateways follow another owner of task ${task}, with a lease that is as new; it is taken anew. If nobody was paused, PostgreSQL lost commits: see that its standby is synchronous`,
    );
  }
}
