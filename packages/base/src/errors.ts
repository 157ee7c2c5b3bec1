/** Who can mend it: who called, another party on the wire, the machine, or we. */
export type Fault = 'caller' | 'peer' | 'environment' | 'internal';

/**
 * The root of every error Tutti throws on purpose. The message gives both sides of the comparison and never holds
 * keys, seeds, weights or interactions; `code` is stable and documented, `fault` names the party that can mend it.
 */
export abstract class FederatedError extends Error {
  abstract readonly code: string;
  abstract readonly fault: Fault;
}

/** A broken call: an argument or option outside what the function documents. */
export class UsageError extends FederatedError {
  override readonly name: string = 'UsageError';
  readonly code: string = 'usage/invalid-argument';
  readonly fault = 'caller' as const;
}

/** Something from outside does not have the form it must have; `field` is the path of the first part that failed. */
export class DecodeError extends FederatedError {
  override readonly name: string = 'DecodeError';
  readonly code: string = 'decode/invalid';
  readonly fault = 'peer' as const;
  constructor(
    readonly field: string,
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`${field}: ${problem}`, options);
  }
}

/** The machine or the network failed us: a file, a socket, a disk. */
export class EnvironmentError extends FederatedError {
  override readonly name: string = 'EnvironmentError';
  readonly code: string = 'environment/failed';
  readonly fault = 'environment' as const;
}

/** A mistake of ours: an invariant that should not be breakable from outside. */
export class InternalError extends FederatedError {
  override readonly name: string = 'InternalError';
  readonly code: string = 'internal/invariant';
  readonly fault = 'internal' as const;
}

/** What an error says, whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
