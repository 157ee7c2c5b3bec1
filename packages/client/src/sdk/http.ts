import { concatBytes, EnvironmentError, parseJson, toHex } from '@tutti/base';
import { decodeTaskInfo, type TaskInfo } from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { deadlineSignal } from './signals.ts';

/** How long one fetch may take, in milliseconds. */
const FETCH_TIMEOUT_MS = 30_000;

/** Most bytes of what a coordinator says about a task. */
const LARGEST_TASK_BYTES = 2 ** 20;

/** Most bytes of a blob: a checkpoint or a catalogue. */
const LARGEST_BLOB_BYTES = 2 ** 28;

/** What is downloaded from a coordinator. None of it depends on the person. */
export interface Downloads {
  /** What the coordinator says about a task. */
  task(name: string, signal?: AbortSignal): Promise<TaskInfo>;
  /** JSON of at most 1 MiB. @throws {EnvironmentError} when it cannot be had, {DecodeError} when it is no JSON. */
  json(path: string, signal?: AbortSignal): Promise<unknown>;
  /**
   * A blob by its hash; what arrives is checked against it. At most `most` bytes of it are read.
   * @throws {EnvironmentError} when it cannot be had, is too large, or is not what its hash names.
   */
  blob(hash: string, options?: { signal?: AbortSignal; most?: number }): Promise<Uint8Array>;
}

/** The platform's `fetch`, passed in. */
export type Fetch = (url: string, init: { signal: AbortSignal }) => Promise<Response>;

/** A coordinator's address as paths are put behind it: no slash at the end, no query. */
export function addressOf(coordinator: string): string {
  const { origin, pathname } = new URL(coordinator);
  return origin + pathname.replace(/\/+$/, '');
}

/** @param coordinator as {@link addressOf} gives it. */
export function openDownloads(coordinator: string, fetch: Fetch, crypto: CryptoSuite): Downloads {
  /** @param what what is asked for, in words: a coordinator that has none is told of by them. */
  async function get(path: string, what: string, signal: AbortSignal | undefined): Promise<Response> {
    const within = deadlineSignal(FETCH_TIMEOUT_MS, signal);
    const ask = (): Promise<Response> => fetch(coordinator + path, { signal: within });
    // A connection that was kept open may have ended at the other side, which shows only when it is used: once more.
    const response = await ask()
      .catch((error: unknown) => (within.aborted ? Promise.reject(error as Error) : ask()))
      .catch((cause: unknown) => {
        throw new EnvironmentError(`${new URL(coordinator).origin} does not answer`, { cause });
      });
    if (response.status === 503)
      throw new EnvironmentError(`${coordinator} cannot serve ${what} at the moment; try again`);
    if (!response.ok) throw new EnvironmentError(`${coordinator} has no ${what}: status ${response.status}`);
    return response;
  }
  async function json(path: string, signal?: AbortSignal, what = path): Promise<unknown> {
    return parseJson(await bodyOf(await get(path, what, signal), LARGEST_TASK_BYTES), what);
  }
  return {
    task: async (name, signal) =>
      decodeTaskInfo(await json(`/v1/tasks/${encodeURIComponent(name)}`, signal, `task ${name}`)),
    json,
    async blob(hash, { signal, most = LARGEST_BLOB_BYTES } = {}) {
      const response = await get(`/v1/blobs/${hash}`, `blob ${hash.slice(0, 16)}`, signal);
      const bytes = await bodyOf(response, most);
      if (toHex(crypto.digest('blob', bytes)) !== hash)
        throw new EnvironmentError(`what ${coordinator} sent is not blob ${hash.slice(0, 16)}`);
      return bytes;
    },
  };
}

/** A body of at most `most` bytes; whatever its headers say, no more of it is read. */
async function bodyOf(response: Response, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done || value === undefined) break;
      length += value.length;
      if (length > most) break;
      parts.push(value);
    }
  } catch (cause) {
    throw new EnvironmentError(`${response.url} did not answer to the end`, { cause });
  } finally {
    void reader?.cancel().catch(() => undefined);
  }
  if (length > most)
    throw new EnvironmentError(`${response.url} answers with more than the ${most} bytes that are taken`);
  return concatBytes(...parts);
}
