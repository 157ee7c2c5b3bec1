import { FederatedError } from '@tutti/base';

/** The journal belongs to a task with another model or catalogue. */
export class StaleTaskError extends FederatedError {
  override readonly name = 'StaleTaskError';
  readonly code = 'coordination/other-task';
  readonly fault = 'caller' as const;
  constructor(readonly task: string) {
    super(
      `the store holds a task ${task} with another model or catalogue; use another name, or another folder`,
    );
  }
}
