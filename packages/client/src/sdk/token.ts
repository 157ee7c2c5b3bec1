import { EnvironmentError } from '@tutti/base';
import type { ClientClock, TokenSource } from '../ports.ts';

/** How long an app's back end may take to answer with a token, in milliseconds. */
const TOKEN_TIMEOUT_MS = 30_000;

/** A token as a source; an app's source that never answers is given up. */
export function tokenSource(token: Uint8Array | TokenSource, clock: ClientClock): TokenSource {
  if (token instanceof Uint8Array) return async () => token;
  return async (wanted) => {
    const over = new AbortController();
    const tooLate = clock
      .sleep(TOKEN_TIMEOUT_MS, over.signal)
      .then(() => Promise.reject(new EnvironmentError('no token came in time')));
    tooLate.catch(() => undefined);
    return Promise.race([token(wanted), tooLate]).finally(() => over.abort());
  };
}
