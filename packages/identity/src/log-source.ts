import { DecodeError } from '@tutti/base';
import { MOST_AT_ONCE } from './authority.ts';
import { IdentityError } from './errors.ts';
import { decodeTreeHead, logEntry, type TreeHead } from './log.ts';
import type { LogMirror } from './mirror.ts';

/** Where a log is read. Nothing that comes from there is believed before a mirror or a check has held it against the head. */
export interface LogSource {
  head(): Promise<TreeHead>;
  /** Client ids from position `from` on, at most `count`. */
  entries(from: number, count: number): Promise<readonly string[]>;
}

/** The log behind an authority's HTTP service. @param getJson fetches a URL, with bounds on time and size of its own. */
export function jsonLogSource(url: string, getJson: (url: string) => Promise<unknown>): LogSource {
  const base = `${url.replace(/\/+$/, '')}/v1/log`;
  return {
    head: async () => decodeTreeHead(await getJson(`${base}/head`)),
    async entries(from, count) {
      const answer = await getJson(`${base}/entries?from=${from}&count=${count}`);
      const entries = typeof answer === 'object' && answer !== null && 'entries' in answer && answer.entries;
      if (!Array.isArray(entries)) throw new DecodeError('entries', 'is not a list');
      return entries.map((id: unknown) => {
        if (typeof id !== 'string') throw new DecodeError('entries', 'holds something that is not text');
        logEntry(id);
        return id;
      });
    },
  };
}

/**
 * Brings a mirror up to the source's newest head, a page at a time.
 * @throws {IdentityError} as {@link LogMirror.extend}; `log-unproven` when the source stops short of its own head.
 */
export async function followLog(mirror: LogMirror, source: LogSource): Promise<TreeHead> {
  const head = await source.head();
  const missing: string[] = [];
  while (mirror.size + missing.length < head.size) {
    const from = mirror.size + missing.length;
    const page = await source.entries(from, Math.min(MOST_AT_ONCE, head.size - from));
    if (page.length === 0)
      throw new IdentityError('log-unproven', `entry ${from} of ${head.size} is not to be had`);
    missing.push(...page);
  }
  mirror.extend(missing, head);
  return head;
}
