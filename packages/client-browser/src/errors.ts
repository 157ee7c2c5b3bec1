import {
  DecodeError,
  EnvironmentError,
  FederatedError,
  InternalError,
  UsageError,
  type Fault,
} from '@tutti/base';

/** The browser's storage for this origin is full; nothing was kept. */
export class StorageFullError extends EnvironmentError {
  override readonly name = 'StorageFullError';
  override readonly code = 'client-browser/storage-full';
  constructor(options?: ErrorOptions) {
    super(
      'the storage that the browser gives this site is full: free some of it, or call forget() to begin anew',
      options,
    );
  }
}

/** Something that was kept cannot be opened: its key is gone, or somebody changed it. */
export class DamagedStoreError extends EnvironmentError {
  override readonly name = 'DamagedStoreError';
  override readonly code = 'client-browser/storage-damaged';
  constructor(what: string, options?: ErrorOptions) {
    super(`${what} in this browser's storage does not open any more; forget() begins anew`, options);
  }
}

/** An error from the worker, of a kind that has no class here. */
class RemoteError extends FederatedError {
  constructor(
    override readonly name: string,
    readonly code: string,
    readonly fault: Fault,
    message: string,
  ) {
    super(message);
  }
}

/** An error as it travels out of a worker: of what our own errors say, not what caused them. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly code: string;
  readonly fault: Fault;
}

/** An error, ready to travel. */
export function sendError(error: unknown): SentError {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return error instanceof FederatedError
    ? { name, message, code: error.code, fault: error.fault }
    : { name, message, code: 'internal/unexpected', fault: 'internal' };
}

/** The error that travelled, as the class that it had. */
export function revivedError({ name, message, code, fault }: SentError): Error {
  switch (name) {
    case 'UsageError':
      return new UsageError(message);
    case 'EnvironmentError':
      return new EnvironmentError(message);
    case 'StorageFullError':
      return new StorageFullError();
    case 'InternalError':
      return new InternalError(message);
    case 'DecodeError': {
      const [field = '', ...problem] = message.split(': ');
      return new DecodeError(field, problem.join(': '));
    }
    default:
      return new RemoteError(name, code, fault, message);
  }
}
