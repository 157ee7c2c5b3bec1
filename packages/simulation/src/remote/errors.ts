import { FederatedError } from '@tutti/base';

/** Nobody is there to host simulated devices or to rank for people, or nobody any more. */
export class NoHostsError extends FederatedError {
  override readonly name = 'NoHostsError';
  readonly code = 'simulation/no-hosts';
  readonly fault = 'environment' as const;
  constructor(
    readonly waitedMs: number,
    readonly needed: string,
  ) {
    super(
      `no worker for ${needed} in ${waitedMs / 1_000} s; start some with \`tutti worker --redis ADDRESS\`, at the same address and with the same secret`,
    );
  }
}

/** A host would come to other figures: it runs another program, or trains with something else. */
export class OtherRuntimeError extends FederatedError {
  override readonly name = 'OtherRuntimeError';
  readonly code = 'simulation/other-runtime';
  readonly fault = 'caller' as const;
  constructor(
    readonly theirs: string,
    readonly ours: string,
  ) {
    super(
      `a worker runs ${theirs}, others ${ours}: figures would differ in the last bits; run the same everywhere`,
    );
  }
}

/** Devices that no host could serve to the end, or people that none could rank for. */
export class HostsFailedError extends FederatedError {
  override readonly name = 'HostsFailedError';
  readonly code = 'simulation/hosts-failed';
  readonly fault = 'environment' as const;
  constructor(
    readonly moves: number,
    readonly reason: string,
    what = 'simulated devices',
  ) {
    super(`${what} were moved ${moves} times, and nobody served them to the end: ${reason}`);
  }
}
