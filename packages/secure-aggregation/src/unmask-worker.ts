import { parentPort } from 'node:worker_threads';
import { InternalError } from '@tutti/base';
import { nodeCrypto } from './node.ts';
import { removeBatch } from './unmask.ts';
import type { UnmaskAnswer, UnmaskRequest } from './unmask-pool.ts';

/** Entry of a thread that removes masks. It holds nothing between batches: secrets are wiped as they are used. */
const port = parentPort;
if (port === null) throw new InternalError('unmask-worker.ts runs in a worker thread only');
// The fastest generator is chosen by measurement: now, and not when a sum waits.
nodeCrypto.addKeystream(new Uint32Array(16), new Uint8Array(32), 1);
port.on('message', ({ id, target, cohortDigest, batch }: UnmaskRequest) => {
  port.postMessage({ id, ...problemOf(() => removeBatch(target, batch, cohortDigest, nodeCrypto)) });
});

function problemOf(work: () => void): Omit<UnmaskAnswer, 'id'> {
  try {
    work();
    return {};
  } catch (error) {
    return { problem: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}
