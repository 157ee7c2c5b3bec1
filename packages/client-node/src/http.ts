import { concatBytes, DecodeError, EnvironmentError, toHex } from '@tutti/base';
import { decodeTaskInfo, type TaskInfo } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { deadlineSignal } from './signals.ts';

/** How long one fetch may take, in milliseconds. */
const FETCH_TIMEOUT_MS = 30_000;

/** Most bytes of what a coordinator says about a task. */
const LARGEST_TASK_BYTES = 2 ** 20;

/** Most bytes of a blob: a checkpoint or a catalogue. */
const LARGEST_BLOB_BYTES = 2 ** 28;

/** A coordinator's address as paths are put behind it: no slash at the end, no query. */
export function addressOf(coordinator: string): string {
  const { origin, pathname } = new URL(coordinator);
  return origin + pathname.replace(/\/+$/, '');
}

/** What the coordinator says about a task. */
export async function fetchTask(coordinator: string, task: string, signal?: AbortSignal): Promise<TaskInfo> {
  const response = await get(`${coordinator}/v1/tasks/${encodeURIComponent(task)}`, {}, signal);
  if (response.status === 404) throw new EnvironmentError(`${coordinator} has no task ${task}`);
  if (!response.ok) throw new EnvironmentError(`${coordinator} answers with status ${response.status}`);
  const bytes = await bodyOf(response, LARGEST_TASK_BYTES);
  try {
    return decodeTaskInfo(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new DecodeError('task', 'is not JSON', { cause });
    throw cause;
  }
}

/** JSON from a coordinator, of at most 1 MiB. @throws {EnvironmentError} when it cannot be had, {DecodeError} when it is no JSON. */
export async function fetchJson(url: string): Promise<unknown> {
  const response = await get(url, {}, undefined);
  if (!response.ok) throw new EnvironmentError(`${url} answers with status ${response.status}`);
  const bytes = await bodyOf(response, LARGEST_TASK_BYTES);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new DecodeError('answer', 'is not JSON', { cause });
  }
}

/**
 * A blob by its hash; what arrives is checked against it. At most `most` bytes of it are read.
 * @throws {EnvironmentError} when it cannot be had, is too large, or is not what its hash names.
 */
export async function fetchBlob(
  coordinator: string,
  hash: string,
  { signal, most = LARGEST_BLOB_BYTES }: { signal?: AbortSignal; most?: number } = {},
): Promise<Uint8Array> {
  const response = await get(`${coordinator}/v1/blobs/${hash}`, {}, signal);
  if (!response.ok) throw new EnvironmentError(`${coordinator} has no blob ${hash.slice(0, 16)}`);
  const bytes = await bodyOf(response, most);
  if (toHex(nodeCrypto.digest('blob', bytes)) !== hash)
    throw new EnvironmentError(`what ${coordinator} sent is not blob ${hash.slice(0, 16)}`);
  return bytes;
}

/** A body of at most `most` bytes; whatever its headers say, no more of it is read. */
async function bodyOf(response: Response, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of response.body ?? []) {
      length += (part as Uint8Array).length;
      if (length > most) break;
      parts.push(part);
    }
  } catch (cause) {
    throw new EnvironmentError(`${response.url} did not answer to the end`, { cause });
  }
  if (length > most)
    throw new EnvironmentError(`${response.url} answers with more than the ${most} bytes that are taken`);
  return concatBytes(...parts);
}

async function get(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<Response> {
  try {
    return await fetch(url, { headers, signal: deadlineSignal(FETCH_TIMEOUT_MS, signal) });
  } catch (cause) {
    throw new EnvironmentError(`${new URL(url).origin} does not answer`, { cause });
  }
}
