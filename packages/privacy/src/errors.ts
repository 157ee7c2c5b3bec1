import { FederatedError } from '@tutti/base';

/** An update holds something that no update may hold. `field` says where; the value itself is never told. */
export class InvalidUpdateError extends FederatedError {
  override readonly name = 'InvalidUpdateError';
  readonly code = 'privacy/invalid-update';
  readonly fault = 'caller' as const;
  constructor(
    readonly field: string,
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`${field} ${problem}`, options);
  }
}
