import { API_PREFIX } from '@tutti/server';
import { CommandError, EXIT } from '../exit-codes.ts';
import { noAnswer } from '../http.ts';

/** How long a coordinator may take to answer, in milliseconds: one that is sent a wide catalogue needs a while. */
const TIMEOUT_MS = 60_000;

/** A request of an operator. */
export interface Ask {
  readonly coordinator: string;
  readonly token?: string;
  readonly method?: 'GET' | 'POST';
  /** Below /api/v1. */
  readonly path: string;
  readonly body?: unknown;
}

/**
 * Asks a coordinator for JSON.
 * @throws {CommandError} that says what is wrong and what to do next.
 */
export async function ask(request: Ask): Promise<unknown> {
  const response = await send(request, AbortSignal.timeout(TIMEOUT_MS));
  return response.json().catch((cause: unknown) => {
    throw new CommandError(
      `${request.coordinator} answers, but not with JSON: is it a coordinator?`,
      EXIT.failed,
      { cause },
    );
  });
}

/** Asks a coordinator for anything. @throws {CommandError} for every answer but a good one. */
export async function send(
  { coordinator, token, method = 'GET', path, body }: Ask,
  signal: AbortSignal,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`${coordinator}${API_PREFIX}${path}`, {
      ...{ method, signal },
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    if (signal.aborted && (signal.reason as Error | undefined)?.name !== 'TimeoutError') throw cause;
    throw noAnswer(coordinator, cause, 'tutti coordinator');
  }
  if (response.ok) return response;
  throw refusalOf(response.status, await response.json().catch(() => undefined), coordinator);
}

/** What an answer that is no good one means, for people. */
function refusalOf(status: number, body: unknown, coordinator: string): CommandError {
  if (status === 401)
    return new CommandError(
      `${new URL(coordinator).origin} does not know this token: it was revoked, is of another coordinator, or the coordinator names no file of tokens. tutti token list --config FILE shows what there is.`,
    );
  const { code, message, retryAfterMs } = errorIn(body);
  if (code === 'http/not-found')
    return new CommandError(
      `${coordinator} has no such interface: is it a coordinator of this version?`,
      EXIT.failed,
    );
  if (code === 'model/unknown')
    return new CommandError(`${message}; tutti model list shows those that there are`);
  if (code === 'http/unknown-task')
    return new CommandError(`${message}; tutti task list shows those that it has`);
  const later = typeof retryAfterMs === 'number' ? `; try again in ${Math.ceil(retryAfterMs / 1_000)} s` : '';
  return new CommandError(
    `${message ?? `${coordinator} answered ${status}`}${later}`,
    status >= 500 || status === 429 ? EXIT.failed : EXIT.usage,
  );
}

function errorIn(body: unknown): { code?: string; message?: string; retryAfterMs?: unknown } {
  const error = (body as { error?: unknown } | undefined)?.error;
  return typeof error === 'object' && error !== null ? error : {};
}
