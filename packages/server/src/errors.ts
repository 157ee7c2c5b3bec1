import { FederatedError } from '@tutti/base';

/** The port is taken by another process. */
export class PortTakenError extends FederatedError {
  override readonly name = 'PortTakenError';
  readonly code = 'server/port-taken';
  readonly fault = 'environment' as const;
  constructor(
    readonly port: number,
    options?: ErrorOptions,
  ) {
    super(`Port ${port} is taken. Use another (--port), or stop the process that has it.`, options);
  }
}

/** What an answer is read from or written to did not say a word in time: a database that is away, as a rule. */
export class NoWordError extends FederatedError {
  override readonly name = 'NoWordError';
  readonly code = 'server/no-word';
  readonly fault = 'environment' as const;
  constructor(readonly waitedMs: number) {
    super(`the storage did not answer within ${waitedMs} ms; see that it runs`);
  }
}

/** A configuration that cannot be run: everything that is wrong with it, each with its path. */
export class ConfigError extends FederatedError {
  override readonly name = 'ConfigError';
  readonly code = 'server/bad-config';
  readonly fault = 'caller' as const;
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}
