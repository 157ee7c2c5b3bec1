import { lineOf, type Log, type LogLevel } from './log.ts';

/** Lines that are kept for who asks later. */
const KEPT_LINES = 1_000;

const LEVELS = ['error', 'warn', 'info', 'debug'] as const satisfies readonly LogLevel[];

/** Whether a line of `level` is told to who wants no less than `least`. */
const isTold = (level: LogLevel, least: LogLevel): boolean => LEVELS.indexOf(level) <= LEVELS.indexOf(least);

/** A line of the log, as it is told over HTTP. */
export interface FeedLine {
  /** Grows by one with each line that is kept. */
  readonly id: number;
  readonly level: LogLevel;
  /** When, as ISO 8601. */
  readonly time: string;
  readonly event: string;
}

/** A log that is read while it is written: the same closed list of events as the log itself. */
export interface LogFeed extends Log {
  /** Kept lines after the one of `id`, the oldest first; debug lines are not kept. */
  since(id: number, least: LogLevel): readonly FeedLine[];
  /** Hears every line from now on. @returns how to stop. */
  subscribe(least: LogLevel, listener: (line: FeedLine) => void): () => void;
}

/** Keeps the newest lines, and tells them as they come. @param now milliseconds since the epoch. */
export function logFeed(now: () => number): LogFeed {
  const kept: FeedLine[] = [];
  const listeners = new Map<(line: FeedLine) => void, LogLevel>();
  // From the time on, so that lines after a restart have higher ids than those before it.
  let id = now();
  return {
    write(event, fields) {
      const line = lineOf(event, fields);
      if (line === undefined) return;
      const { level, ...said } = line;
      if (level === 'debug' && ![...listeners.values()].includes('debug')) return;
      if (level !== 'debug') id++;
      const told: FeedLine = { id, level, time: new Date(now()).toISOString(), ...said };
      if (level !== 'debug') kept.push(told);
      if (kept.length > KEPT_LINES) kept.shift();
      for (const [listener, least] of listeners) if (isTold(level, least)) listener(told);
    },
    since: (after, least) => kept.filter((line) => line.id > after && isTold(line.level, least)),
    subscribe(least, listener) {
      listeners.set(listener, least);
      return () => void listeners.delete(listener);
    },
  };
}

/** Writes to several. */
export const logTo = (...logs: readonly Log[]): Log => ({
  write: (event, fields) => logs.forEach((log) => log.write(event, fields)),
});
