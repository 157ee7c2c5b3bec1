import { FederatedError } from '@tutti/base';

/** Another coordinator than the one this device trusts answers at its address. */
export class WrongCoordinatorError extends FederatedError {
  override readonly name = 'WrongCoordinatorError';
  readonly code = 'client/wrong-coordinator';
  readonly fault = 'peer' as const;
  constructor(
    readonly pinned: string,
    readonly found: string,
  ) {
    super(
      `the coordinator's key is ${found.slice(0, 16)}…; ${pinned.slice(0, 16)}… is pinned. If the coordinator was set up anew, begin with an empty store.`,
    );
  }
}
