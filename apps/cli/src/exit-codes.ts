import { FederatedError } from '@tutti/base';
import { INTERRUPTED } from '@tutti/base/node';
import { CommanderError } from 'commander';

/** What `tutti` exits with; documented in docs/cli.md. */
export const EXIT = {
  ok: 0,
  /** It was tried and did not work: a file, the network, a coordinator, a round. */
  failed: 1,
  /** The command line or a file given to it is wrong; nothing was done. */
  usage: 2,
  /** Ended by Ctrl-C or SIGTERM, cleanly. */
  interrupted: INTERRUPTED,
} as const;

/** Thrown to end a command early with a message for people and an exit code. */
export class CommandError extends FederatedError {
  override readonly name = 'CommandError';
  readonly code = 'cli/failed';
  readonly fault = 'caller' as const;
  constructor(
    message: string,
    readonly exitCode: number = EXIT.usage,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The exit code of an error: usage where the caller can mend it, failed otherwise. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof FederatedError && error.fault === 'caller') return EXIT.usage;
  if (error instanceof Error && error.name === 'AbortError') return EXIT.interrupted;
  return EXIT.failed;
}
