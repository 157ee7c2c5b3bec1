import { concatBytes, DecodeError, EnvironmentError } from '@tutti/base';
import type { Clock, TaskConfig } from '@tutti/coordination';
import { followLog, jsonLogSource, type LogMirror } from '@tutti/identity';
import type { CoordinatorConfig } from './config.ts';

/** How often an authority is asked for its newest clients, in milliseconds: who enrols can take part about so much later. */
const EVERY_MS = 5_000;

/** How long an authority may take to answer, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Most bytes of an answer: a page of ten thousand client ids has a third of a megabyte. */
const LARGEST_ANSWER_BYTES = 2 ** 20;

/** A log, and where it is read. */
export interface FollowedLog {
  readonly url: string;
  readonly mirror: LogMirror;
}

/** The logs of transparent tasks, each once. @param tasks those of `config`, in its order. */
export function logsOf(config: CoordinatorConfig, tasks: readonly TaskConfig[]): FollowedLog[] {
  const urls = new Map<LogMirror, string>();
  tasks.forEach(({ identity }, at) => {
    const entry = config.tasks[at]?.identity;
    if (identity?.level === 'transparent' && entry?.level === 'transparent')
      urls.set(identity.log, entry.url);
  });
  return [...urls].map(([mirror, url]) => ({ mirror, url }));
}

/**
 * Brings mirrors up to what their authorities say now.
 * @throws {EnvironmentError} if an authority does not answer, {IdentityError} if its log is not as it should be.
 */
export async function readLogs(logs: readonly FollowedLog[]): Promise<void> {
  await Promise.all(logs.map(({ url, mirror }) => followLog(mirror, jsonLogSource(url, getJson))));
}

/** What keeping mirrors up to date is made of. */
export interface KeepOptions {
  readonly clock: Clock;
  /** Hears what goes wrong; a log as it was last seen stays in use. */
  readonly onProblem: (problem: Error) => void;
  readonly everyMs?: number;
}

/** Keeps mirrors up to date. @returns how to stop. */
export function keepLogs(
  logs: readonly FollowedLog[],
  { clock, onProblem, everyMs = EVERY_MS }: KeepOptions,
): () => void {
  const timers = new Map<FollowedLog, () => void>();
  let stopped = false;
  function again(log: FollowedLog): void {
    if (stopped) return;
    const next = (): void =>
      void readLogs([log])
        .catch((error: unknown) => onProblem(error instanceof Error ? error : new Error(String(error))))
        .finally(() => again(log));
    timers.set(log, clock.after(everyMs, next));
  }
  logs.forEach(again);
  return () => {
    stopped = true;
    for (const cancel of timers.values()) cancel();
  };
}

/** JSON from an authority, within bounds. @throws {EnvironmentError}, {DecodeError} */
async function getJson(url: string): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new EnvironmentError(`${url} answers with status ${response.status}`);
    for await (const part of response.body ?? []) {
      length += (part as Uint8Array).length;
      if (length > LARGEST_ANSWER_BYTES) break;
      parts.push(part);
    }
  } catch (cause) {
    if (cause instanceof EnvironmentError) throw cause;
    throw new EnvironmentError(`the authority at ${new URL(url).origin} does not answer`, { cause });
  }
  if (length > LARGEST_ANSWER_BYTES)
    throw new EnvironmentError(`${url} answers with more than ${LARGEST_ANSWER_BYTES} bytes`);
  try {
    return JSON.parse(new TextDecoder().decode(concatBytes(...parts)));
  } catch (cause) {
    throw new DecodeError('authority', 'does not answer with JSON', { cause });
  }
}
