import { CommandError, EXIT } from './exit-codes.ts';

/** How long a coordinator may take to answer, in milliseconds. */
const TIMEOUT_MS = 10_000;

/**
 * Fetches JSON from a coordinator or an authority.
 * @param command starts one, should none answer.
 * @throws {CommandError} that says what to do when it does not answer.
 */
export async function fetchJson(url: string, command = 'tutti coordinator'): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    throw new CommandError(
      `No ${command.split(' ')[1]} answers at ${new URL(url).origin}. Start one with: ${command}`,
      EXIT.failed,
      { cause },
    );
  }
  if (!response.ok)
    throw new CommandError(`${url} answered ${response.status} ${response.statusText}`, EXIT.failed);
  return response.json().catch((cause: unknown) => {
    throw new CommandError(`${url} answers, but not with JSON: is it a coordinator?`, EXIT.failed, { cause });
  });
}
