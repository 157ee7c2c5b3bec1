import { parentPort, workerData } from 'node:worker_threads';
import { InternalError, UsageError } from '@tutti/base';
import { openDeviceHost, type DeviceHost } from './device-host.ts';
import { openEvaluationHost } from './evaluation/evaluation-host.ts';
import type {
  ContributionRequest,
  EvaluationRequest,
  EvaluationSetup,
  FromThread,
  ThreadRequest,
  ThreadSetup,
  ToThread,
} from './thread.ts';

/**
 * Entry of a simulation thread: hosts the devices of its users, or ranks for people with checkpoints, and answers the main thread's requests
 * in order.
 */
const port = parentPort;
if (port === null) throw new InternalError('worker.ts runs in a worker thread only');
const send = (message: FromThread): void => port.postMessage(message, given(message));

/** A sum is the main thread's from here on: it moves there. */
const given = (message: FromThread): ArrayBuffer[] =>
  'answer' in message && message.answer instanceof Uint32Array ? [message.answer.buffer as ArrayBuffer] : [];

const fetches = new Map<string, ((bytes: Uint8Array | undefined) => void)[]>();
const fetchBlob = (hash: string): Promise<Uint8Array | undefined> =>
  new Promise((resolve) => {
    const waiting = fetches.get(hash);
    if (waiting !== undefined) {
      waiting.push(resolve);
      return;
    }
    fetches.set(hash, [resolve]);
    send({ fetch: hash });
  });

const { backend, notes, answer } = await openHost(workerData as ThreadSetup | EvaluationSetup).catch(
  (error: unknown) => {
    // An error loses its class on the way to the main thread.
    if (error instanceof UsageError) send({ refused: error.message });
    throw error;
  },
);

/** What this thread is, and how it answers. */
async function openHost(setup: ThreadSetup | EvaluationSetup) {
  if (!('population' in setup)) {
    const { backend: opened, evaluate } = await openEvaluationHost(setup);
    return {
      backend: opened,
      notes: [],
      answer: (request: unknown) => evaluate(request as EvaluationRequest),
    };
  }
  const host = await openDeviceHost(setup, fetchBlob);
  return {
    ...host,
    answer: (request: unknown) => answerDevices(host, request as ThreadRequest | ContributionRequest),
  };
}

async function answerDevices(
  host: DeviceHost,
  request: ThreadRequest | ContributionRequest,
): Promise<unknown> {
  switch (request.kind) {
    case 'deliver':
      return host.deliver(request.deliveries, request.turn);
    case 'contribute':
      return host.contribute(request);
    case 'take-sum':
      return host.takeSum(request.key);
    case 'rank':
      return host.rank(request.users, request.modelHash);
    case 'keep':
      return host.keep();
  }
}

let queue: Promise<void> = Promise.resolve();
port.on('message', (message: ToThread) => {
  if ('blob' in message) {
    const waiting = fetches.get(message.blob) ?? [];
    fetches.delete(message.blob);
    for (const resolve of waiting) resolve(message.bytes);
    return;
  }
  const { id, request } = message;
  queue = queue.then(async () => {
    try {
      send({ id, answer: await answer(request) });
    } catch (error) {
      if (error instanceof UsageError) send({ id, refused: error.message });
      else send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
});
send({ ready: true, backend, notes });
