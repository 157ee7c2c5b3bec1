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
