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

/** A configuration that cannot be run: everything that is wrong with it, each with its path. */
export class ConfigError extends FederatedError {
  override readonly name = 'ConfigError';
  readonly code = 'server/bad-config';
  readonly fault = 'caller' as const;
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}
