import { UsageError } from '@tutti/base';
import { TOKEN_BYTES } from '@tutti/secure-aggregation';
import { resolvePolicy, type Policy } from '../policy.ts';

/** What an app says of a task in every SDK. */
export interface CommonOptions {
  readonly coordinator: string;
  readonly task: string;
  readonly coordinatorKey?: string | undefined;
  readonly policy?: Partial<Policy> | undefined;
  readonly token?: unknown;
}

/** @throws {UsageError} naming the option that is not what it must be. */
export function checkCommonOptions({
  coordinator,
  task,
  coordinatorKey,
  policy,
  token,
}: CommonOptions): void {
  if (!URL.canParse(coordinator) || !/^https?:$/.test(new URL(coordinator).protocol))
    throw new UsageError(
      `coordinator is ${coordinator}; an address such as https://fl.example.org is needed`,
    );
  if (typeof task !== 'string' || task === '') throw new UsageError('task: a name is needed');
  if (coordinatorKey !== undefined && !/^[0-9a-f]{64}$/.test(coordinatorKey))
    throw new UsageError('coordinatorKey: 64 lower-case hexadecimal digits are needed');
  if (token instanceof Uint8Array && token.length !== TOKEN_BYTES)
    throw new UsageError(`token has ${token.length} bytes; ${TOKEN_BYTES} are needed`);
  resolvePolicy(policy);
}
