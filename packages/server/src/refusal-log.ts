import type { Clock } from '@tutti/coordination';
import { networkOf } from './gate.ts';
import type { Limit, Log } from './log.ts';

/** How often a line says the same of one address, in milliseconds. */
export const EVERY_MS = 10_000;

/** Addresses that are told apart; of all others together there is one line a limit. */
const MOST = 1_000;

/** Logs what was over a limit, and no more lines for it than somebody can read. */
export interface RefusalLog {
  refused(limit: Limit, address: string): void;
  /** Says what it has not said yet. */
  close(): void;
}

/**
 * Logs the first refusal of an address by a limit at once, and those after it as a line with their number (`count`) every 10 s:
 * a flood of requests is none of lines.
 */
export function refusalLog(log: Log, clock: Pick<Clock, 'after'>): RefusalLog {
  const open = new Map<string, { readonly tell: () => void; readonly cancel: () => void; count: number }>();
  function begin(key: string, limit: Limit, address: string | undefined): void {
    const tell = (): void => {
      const count = open.get(key)?.count ?? 0;
      open.delete(key);
      if (count > 0) log.write('refused', { limit, address, count });
    };
    const cancel = clock.after(EVERY_MS, () => {
      const goesOn = (open.get(key)?.count ?? 0) > 0;
      tell();
      if (goesOn) begin(key, limit, address);
    });
    open.set(key, { tell, cancel, count: 0 });
  }
  return {
    refused(limit, address) {
      const own = `${limit} ${networkOf(address)}`;
      const isToldApart = open.has(own) || open.size < MOST;
      const key = isToldApart ? own : limit;
      const known = open.get(key);
      if (known !== undefined) known.count++;
      else {
        const told = isToldApart ? address : undefined;
        log.write('refused', { limit, address: told });
        begin(key, limit, told);
      }
    },
    close() {
      for (const { tell, cancel } of [...open.values()]) {
        cancel();
        tell();
      }
    },
  };
}
