import { FederatedError } from '@tutti/base';

/** Another process, or another client of this one, has the device's folder open. */
export class StoreInUseError extends FederatedError {
  override readonly name = 'StoreInUseError';
  readonly code = 'client-node/store-in-use';
  readonly fault = 'environment' as const;
  constructor(
    readonly folder: string,
    readonly pid: number,
  ) {
    super(
      `${folder} is in use by process ${pid}; close that client, or give each client a folder of its own`,
    );
  }
}

/** Another coordinator than the one this device trusts answers at its address. */
export class WrongCoordinatorError extends FederatedError {
  override readonly name = 'WrongCoordinatorError';
  readonly code = 'client-node/wrong-coordinator';
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
