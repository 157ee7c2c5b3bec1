import { FederatedError } from '@tutti/base';

/** A tracker did not take what it was given. */
export class TrackerError extends FederatedError {
  override readonly name = 'TrackerError';
  readonly code = 'trackers/not-kept';
  readonly fault = 'environment' as const;
  constructor(
    /** The tracker. */
    readonly tracker: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${tracker}: ${problem}`, options);
  }
}
