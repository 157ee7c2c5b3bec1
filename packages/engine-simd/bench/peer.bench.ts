/**
 * What a peer's trainer does in a round, in the kernel: 200 clients of 1,000, each with 165 positives and 4 negatives for each (825
 * examples of 3,706 items, d = 32, layers 32-16, one epoch in batches of 64), a plain sum of their updates and a server step; on all cores. A
 * peer's command is run between our own runs, on the same cores; its last line is JSON with `clients_per_s_median`.
 *
 *     node --import ./packages/base/source.js packages/engine-simd/bench/peer.bench.ts [COMMAND OF A PEER …]
 *
 * packages/simulation/bench/peer.bench.ts has the same clients with all that a device does beside that.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { keepLocal, seededRandom, type SeededRandom } from '@tutti/base';
import { createModel, initialShared, resolveModelConfig, type LocalUpdate } from '@tutti/model';
import { openNodeEngine, wideKernel } from '../src/node.ts';

const [PEOPLE, ITEMS, POSITIVES, COHORT] = [1_000, 3_706, 165, 200];
const [RUNS, ROUNDS, WARM_UP] = [5, 30, 5];

const model = createModel(
  resolveModelConfig(
    { family: 'mlp', dimension: 32, hidden: [32, 16], epochs: 1, batchSize: 64, negatives: 4 },
    { items: ITEMS, meanHistory: POSITIVES },
  ),
  ITEMS,
);

/** What a thread is started with: the weights that it reads, the sum that it writes, the module that it runs. */
interface Desk {
  readonly weights: SharedArrayBuffer;
  readonly sum: SharedArrayBuffer;
  readonly kernel: WebAssembly.Module | undefined;
  readonly adder: WebAssembly.Module;
}

/** Trains the clients that it is told of and adds up their updates. */
async function serveClients({ weights, sum, kernel, adder }: Desk): Promise<void> {
  const { engine } = await openNodeEngine({ model, engine: 'simd', kernel, oneAfterAnother: true });
  const people = Array.from({ length: PEOPLE }, (_, person) => {
    const random = seededRandom(person);
    const items = new Set<number>();
    while (items.size < POSITIVES) items.add(random.int(ITEMS));
    return keepLocal(Int32Array.from(items));
  });
  const total = openSum(adder, model.layout.length);
  const trainAll = async (clients: readonly number[]): Promise<number> => {
    const loaded = await engine.load(new Float32Array(weights));
    total.sum.fill(0);
    let loss = 0;
    for (const client of clients) {
      const positives = people[client] as (typeof people)[number];
      const update = await loaded.train(undefined, { positives }, seededRandom(client));
      total.add(update);
      loss += update.loss;
    }
    loaded.dispose();
    new Float32Array(sum).set(total.sum);
    return loss;
  };
  parentPort?.on('message', (clients: readonly number[]) => {
    // One that fails ends the thread, and the run with it.
    void trainAll(clients).then((loss) => parentPort?.postMessage(loss));
  });
  parentPort?.postMessage(0);
}

/** Adds float32 numbers in ranges to a sum, with SIMD as a peer does: V8 takes twice as long, or more, for the same in JavaScript. */
const SUM = `
  export function addRanges(sum: usize, numbers: usize, ranges: usize, pairs: i32): void {
    for (const end = ranges + (<usize>pairs << 3); ranges < end; ranges += 8) {
      let to = sum + (<usize>load<i32>(ranges) << 2);
      const stop = numbers + (<usize>load<i32>(ranges, 4) << 2);
      for (; numbers + 16 <= stop; numbers += 16) {
        v128.store(to, f32x4.add(v128.load(to), v128.load(numbers)));
        to += 16;
      }
      for (; numbers < stop; numbers += 4) {
        store<f32>(to, load<f32>(to) + load<f32>(numbers));
        to += 4;
      }
    }
  }`;

/** What is asked of the compiler here. Its own types are not loaded: they change those of arrays in every file. */
interface Compiler {
  compileString(
    source: string,
    options: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly error: Error | null; readonly binary: Uint8Array<ArrayBuffer> | null }>;
}
const COMPILER: string = 'assemblyscript/asc';

async function compiledSum(): Promise<WebAssembly.Module> {
  const { default: asc } = (await import(COMPILER)) as { readonly default: Compiler };
  const { binary, error } = await asc.compileString(SUM, {
    ...{ optimizeLevel: 3, runtime: 'stub', noAssert: true, enable: ['simd'], importMemory: true },
  });
  if (error !== null || binary === null) throw error ?? new Error('nothing was compiled');
  return new WebAssembly.Module(binary.slice());
}

/** A sum of float32 numbers, all zero. */
function openSum(module: WebAssembly.Module, length: number) {
  const bytes = 4 * (2 * length + 4 * ITEMS + 2);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65_536) });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const addRanges = exports.addRanges as (
    sum: number,
    numbers: number,
    ranges: number,
    pairs: number,
  ) => void;
  const [sum, numbers] = [0, 1].map((part) => new Float32Array(memory.buffer, 4 * part * length, length));
  const ranges = new Int32Array(memory.buffer, 8 * length);
  return {
    sum: sum as Float32Array,
    add(update: LocalUpdate): void {
      numbers?.set(update.delta);
      ranges.set(update.ranges as Int32Array);
      addRanges(0, 4 * length, 8 * length, (update.ranges as Int32Array).length >> 1);
    },
  };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number;

/** What a thread says next; one that fails ends the run. */
const answered = async (worker: Worker): Promise<number> => {
  const [loss] = (await once(worker, 'message')) as [number];
  return loss;
};

/** So many of everybody, nobody twice. */
function drawCohort(random: SeededRandom): number[] {
  const drawn = new Set<number>();
  while (drawn.size < COHORT) drawn.add(random.int(PEOPLE));
  return [...drawn];
}

/** Median clients a second, and the mean loss of the last round. */
async function ours(
  kernel: WebAssembly.Module | undefined,
  adder: WebAssembly.Module,
): Promise<{ speed: number; loss: number }> {
  const { length } = model.layout;
  const shared = new Float32Array(new SharedArrayBuffer(4 * length));
  shared.set(initialShared(model, seededRandom('weights')));
  const sums = Array.from(
    { length: availableParallelism() },
    () => new Float32Array(new SharedArrayBuffer(4 * length)),
  );
  const workers = sums.map(
    (sum) =>
      new Worker(fileURLToPath(import.meta.url), {
        workerData: { weights: shared.buffer, sum: sum.buffer, kernel, adder } satisfies Desk,
        execArgv: process.execArgv,
      }),
  );
  await Promise.all(workers.map(answered));
  const random = seededRandom('cohorts');
  const seconds: number[] = [];
  const losses: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const clients = drawCohort(random);
    const began = performance.now();
    const parts = workers.map((worker, at) => {
      worker.postMessage(clients.filter((_, i) => i % workers.length === at));
      return answered(worker);
    });
    losses.push((await Promise.all(parts)).reduce((all, one) => all + one, 0) / COHORT);
    for (const sum of sums)
      for (let i = 0; i < length; i++) shared[i] = (shared[i] as number) + (sum[i] as number) / COHORT;
    seconds.push((performance.now() - began) / 1e3);
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  const loss = losses.at(-1) ?? Number.NaN;
  if (!(loss < (losses[0] ?? 0))) throw new Error(`the loss went from ${losses[0]} to ${loss}`);
  return { speed: COHORT / median(seconds.slice(WARM_UP)), loss };
}

function peers(command: readonly string[]): number {
  const [program = '', ...args] = command;
  const last = execFileSync(program, args, { encoding: 'utf8' }).trim().split('\n').at(-1) as string;
  return (JSON.parse(last) as { clients_per_s_median: number }).clients_per_s_median;
}

async function compare(): Promise<void> {
  const wide = await wideKernel();
  const adder = await compiledSum();
  const peer = process.argv.slice(2);
  const rows: string[] = [];
  const ratios: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const narrow = await ours(undefined, adder);
    const other = peer.length === 0 ? Number.NaN : peers(peer);
    const best = wide === undefined ? narrow : await ours(wide, adder);
    if (best.loss !== narrow.loss) throw new Error('the two modules train differently');
    ratios.push(best.speed / other);
    const speeds = [narrow.speed, best.speed, other].map((speed) => speed.toFixed(0));
    rows.push(
      `| ${speeds.join(' | ')} | ${[narrow, best].map(({ speed }) => (speed / other).toFixed(2)).join(' | ')} |`,
    );
  }
  process.stdout.write(
    [
      `${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, ${availableParallelism()} threads, Node ${process.version}, load average ${loadavg()[0]?.toFixed(1)}`,
      `${COHORT} clients a round, ${ROUNDS} rounds; ${wide === undefined ? 'no registers of 256 bits here' : 'in 128 and in 256 bits'}`,
      '',
      '| clients/s, 128 bits | 256 bits | the peer’s | ratio, 128 bits | ratio |',
      '| --: | --: | --: | --: | --: |',
      ...rows,
      '',
      `median ratio ${median(ratios).toFixed(2)}; the aim is 1.3`,
      '',
    ].join('\n'),
  );
}

await (isMainThread ? compare() : serveClients(workerData as Desk));
