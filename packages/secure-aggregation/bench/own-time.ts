import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type KeystreamGenerator, type MaskStream } from '../src/index.ts';
import { portableKeystreams } from '../src/portable.ts';
import { nodeKeystream } from '../src/node.ts';

/** What a generator takes for its streams and nothing else, in this thread or in several at once: what the costs are measured by. */
export const generators = [nodeKeystream, ...portableKeystreams()] as const;

/** Streams that are expanded block by block together, which is how a generator is fastest. */
const TOGETHER = 32;

/**
 * Milliseconds a stream in which a generator adds about `streams` streams to a vector of `words` words, at its best: many at once. Alone,
 * each costs more, since making a cipher and copying the vector do not come free.
 */
export function ownTime({ addAll }: KeystreamGenerator, words: number, streams: number): number {
  const target = new Uint32Array(words);
  const together = Array.from({ length: Math.min(streams, TOGETHER) }, (_, i): MaskStream => ({
    seed: new Uint8Array(32).fill(i),
    sign: 1,
  }));
  const times = Math.ceil(streams / together.length);
  const started = performance.now();
  for (let i = 0; i < times; i++) addAll(target, together);
  return (performance.now() - started) / (times * together.length);
}

interface Request {
  readonly name: string;
  readonly words: number;
  readonly streams: number;
}

/** Threads that measure at the same time: where they share a core, or memory, each is slower than one alone. */
export function openMeasuringThreads(count: number) {
  const execArgv = ['--import', import.meta.resolve('@tutti/base/source')];
  const workers = Array.from({ length: count }, () => new Worker(new URL(import.meta.url), { execArgv }));
  return {
    /** Milliseconds a stream, of all threads together. */
    async ownTime(generator: KeystreamGenerator, words: number, streams: number): Promise<number> {
      const answers = workers.map(async (worker): Promise<number> => {
        worker.postMessage({ name: generator.name, words, streams } satisfies Request);
        const [time] = (await once(worker, 'message')) as [number];
        return time;
      });
      const rates = (await Promise.all(answers)).map((time) => 1 / time);
      return 1 / rates.reduce((sum, rate) => sum + rate, 0);
    },
    close: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}

if (!isMainThread)
  parentPort?.on('message', ({ name, words, streams }: Request) => {
    const generator = generators.find((one) => one.name === name) ?? nodeKeystream;
    parentPort?.postMessage(ownTime(generator, words, streams));
  });
