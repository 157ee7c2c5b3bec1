import { certificateProblem, codeOf } from './certificate.ts';
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
    throw noAnswer(url, cause, command);
  }
  if (!response.ok)
    throw new CommandError(`${url} answered ${response.status} ${response.statusText}`, EXIT.failed);
  return response.json().catch((cause: unknown) => {
    throw new CommandError(`${url} answers, but not with JSON: is it a coordinator?`, EXIT.failed, { cause });
  });
}

/** Why a request got no answer, and what to do. @param command starts what was asked. */
export function noAnswer(url: string, cause: unknown, command: string): CommandError {
  const { origin } = new URL(url);
  const certificate = certificateProblem(codeOf(cause));
  const problem =
    certificate === undefined
      ? `No ${command.split(' ')[1]} answers at ${origin}. Start one with: ${command}`
      : `The certificate of ${origin} ${certificate}.`;
  return new CommandError(problem, EXIT.failed, { cause });
}
