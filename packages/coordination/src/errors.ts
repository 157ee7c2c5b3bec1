import { FederatedError } from '@tutti/base';

/** The journal belongs to a task with another model or catalogue. */
export class StaleTaskError extends FederatedError {
  override readonly name = 'StaleTaskError';
  readonly code = 'coordination/other-task';
  readonly fault = 'caller' as const;
  constructor(
    readonly task: string,
    /** Why its catalogue may not change, where that is what is asked for. */
    reason?: string,
  ) {
    super(
      reason === undefined
        ? `the store holds a task ${task} with another model or catalogue; use another name, or another folder`
        : `the catalogue of task ${task} cannot change: ${reason}; use another name, or another folder`,
    );
  }
}

/** A model or strategy state that the journal names is not in the store. */
export class MissingBlobError extends FederatedError {
  override readonly name = 'MissingBlobError';
  readonly code = 'coordination/missing-blob';
  readonly fault = 'environment' as const;
  constructor(readonly hash: string) {
    super(`the store does not hold ${hash}, which the journal names; restore it, or begin in another folder`);
  }
}

/** The journal could not be written: nothing may go on, for nothing could count. */
export class JournalWriteError extends FederatedError {
  override readonly name = 'JournalWriteError';
  readonly code = 'coordination/journal-write';
  readonly fault = 'environment' as const;
  constructor(
    readonly task: string,
    options: ErrorOptions,
  ) {
    const { cause } = options;
    super(
      `the journal of task ${task} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      options,
    );
  }
}

const STANDSTILLS = {
  'privacy-budget-spent': 'spent its privacy budget: nothing more is released',
  paused: 'is paused; resume it first',
  stopped: 'is stopped',
} as const;

/** The task stands still, so that what was asked will not happen. */
export class TaskStoppedError extends FederatedError {
  override readonly name = 'TaskStoppedError';
  readonly code = 'coordination/task-stopped';
  readonly fault = 'caller' as const;
  constructor(
    readonly task: string,
    readonly reason: keyof typeof STANDSTILLS,
  ) {
    super(`task ${task} ${STANDSTILLS[reason]}`);
  }
}

/** Another process held a part of a group's sum, and is gone, or holds something else than was counted: the group has no sum. */
export class PartialSumLostError extends FederatedError {
  override readonly name = 'PartialSumLostError';
  readonly code = 'coordination/partial-sum-lost';
  readonly fault = 'environment' as const;
  constructor(
    readonly attempt: number,
    readonly group: number,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`a part of the sum of group ${group} of attempt ${attempt} is gone: ${reason}`, options);
  }
}

/** Another process of this coordinator has a task of this name, or had one. */
export class TaskExistsError extends FederatedError {
  override readonly name = 'TaskExistsError';
  readonly code = 'coordination/task-exists';
  readonly fault = 'caller' as const;
  constructor(readonly task: string) {
    super(`there is a task ${task}, or was one; take another name`);
  }
}
