import { StorageRefusedError, StorageUnavailableError } from '@tutti/coordination';

/** What an error of the driver means for us. */
export type Verdict =
  /** The server is away, restarting, or did not get round to it: the same again may work. */
  | { readonly kind: 'away'; readonly reason: string }
  /** It answered, and does not let us: somebody has to do something. */
  | { readonly kind: 'refused'; readonly reason: string; readonly advice: string }
  /** Not about the server. */
  | { readonly kind: 'other' };

/** SQLSTATEs that pass by themselves. @see PostgreSQL documentation, appendix A */
const AWAY = new Set([
  ...['57P01', '57P02', '57P03', '57P04', '57P05'], // shut down, crashed, starting up
  ...['53300', '53400'], // too many connections
  ...['40001', '40P01', '55P03'], // somebody else was there at the same time
  '57014', // longer than statement_timeout
  '25006', // read-only: still a standby
  ...['53000', '53100', '53200'], // disk or memory full
]);

const REFUSED: Readonly<Record<string, string>> = {
  '28000': 'see that its pg_hba.conf lets this user in, or use another one',
  '28P01': 'give the right password, in the address, in PGPASSWORD or in a .pgpass file',
  '3D000': 'create the database (createdb), or name another one',
  '42501': 'grant this user the right to create a schema in the database, and to use it',
};

/** Says what an error means. */
export function judge(error: unknown): Verdict {
  if (!(error instanceof Error)) return { kind: 'other' };
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  const state = typeof code === 'string' ? code : '';
  const advice = REFUSED[state];
  if (advice !== undefined) return { kind: 'refused', reason: error.message, advice };
  if (AWAY.has(state) || state.startsWith('08')) return { kind: 'away', reason: error.message };
  if (/^E[A-Z]+$/.test(state)) return { kind: 'away', reason: state };
  // Node tries several addresses of a host, and gives one error for all.
  if (Array.isArray(errors) && errors.length > 0) return judge(errors[0]);
  if (/certificate|self.signed|SSL/i.test(error.message))
    return { kind: 'refused', reason: error.message, advice: 'see sslmode and the certificates' };
  if (
    /^(Connection terminated|Connection ended|timeout exceeded|Query read timeout)|connection error/i.test(
      error.message,
    )
  )
    return { kind: 'away', reason: error.message };
  if (/not queryable|connection is closed|Client was closed/i.test(error.message))
    return { kind: 'away', reason: error.message };
  return { kind: 'other' };
}

/** The error by its name, where it is about the server; else as it is. */
export function named(place: string, cause: unknown, waitedMs: number): unknown {
  const verdict = judge(cause);
  switch (verdict.kind) {
    case 'away':
      return new StorageUnavailableError(place, verdict.reason, waitedMs, { cause });
    case 'refused':
      return new StorageRefusedError(place, verdict.reason, verdict.advice, { cause });
    case 'other':
      return cause;
  }
}

/** First wait before something is tried again, and the longest, in milliseconds. */
const BACK_OFF_MS = { first: 25, most: 1_000 };

/**
 * Does `work`, again and again while the server is away.
 * @param work is told how often it was tried before: what it wrote then may be there.
 * @throws {StorageUnavailableError} when that took longer than `limitMs`. @throws {StorageRefusedError}
 */
export async function whileAway<T>(
  place: string,
  { limitMs, signal }: { readonly limitMs: number; readonly signal?: AbortSignal },
  work: (tries: number) => Promise<T>,
): Promise<T> {
  const begun = performance.now();
  for (let tries = 0; ; tries++) {
    try {
      return await work(tries);
    } catch (cause) {
      const waitedMs = performance.now() - begun;
      const isAway = judge(cause).kind === 'away';
      if (!isAway || waitedMs >= limitMs || signal?.aborted === true) throw named(place, cause, waitedMs);
      await pause(Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** tries), signal);
    }
  }
}

/** Waits; less where the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal?.addEventListener('abort', over, { once: true });
    if (signal?.aborted === true) over();
  });
}
