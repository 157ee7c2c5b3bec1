import { FederatedError } from '@tutti/base';

/** The folder of an authority is not one: its key is missing, damaged, or readable by others. */
export class AuthorityFolderError extends FederatedError {
  override readonly name = 'AuthorityFolderError';
  readonly code = 'authority/bad-folder';
  readonly fault = 'caller' as const;
  constructor(problem: string, options?: ErrorOptions) {
    super(problem, options);
  }
}

/** Another process has the authority's folder open: only one may write its log. */
export class AuthorityInUseError extends FederatedError {
  override readonly name = 'AuthorityInUseError';
  readonly code = 'authority/in-use';
  readonly fault = 'environment' as const;
  constructor(
    readonly folder: string,
    readonly pid: number,
  ) {
    super(`${folder} is in use by process ${pid}; ask its service, or stop it`);
  }
}
