import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { portableKeystreams, type KeystreamGenerator } from '../src/index.ts';
import { nodeKeystream } from '../src/node.ts';

/** What a generator takes for its streams and nothing else, in this thread or in several at once: what the costs are measured by. */
export const generators = [nodeKeystream, ...portableKeystreams()] as const;

/** Milliseconds a stream in which a generator adds `streams` streams, one after another, to a vector of `words` words. */
export function ownTime({ add }: KeystreamGenerator, words: number, streams: number): number {
  const target = new Uint32Array(words);
  const seed = new Uint8Array(32).fill(7);
  const started = performance.now();
  for (let i = 0; i < streams; i++) add(target, seed, 1);
  return (performance.now() - started) / streams;
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
