import { setFlagsFromString } from 'node:v8';
import { fromPackedText, keepLocal, seededRandom } from '@tutti/base';
import { createModel, initialShared, resolveModelConfig, type LoadedModel } from '@tutti/model';
import { openWasmEngine } from './wasm-engine.ts';
import { openWasmKernel } from './wasm-kernel.ts';
import { WIDE_KERNEL_WASM } from './wide-kernel-wasm.gen.ts';

/** Node whose V8 makes one instruction of 256 bits of two neighbouring ones of 128. */
const FIRST_NODE = 24;

/**
 * While the module is compiled, and for nothing else: pairs of vectors become one (V8 calls this experimental), and all functions are
 * compiled at once and as well as they can be.
 */
const FLAGS = [
  'experimental-wasm-revectorize',
  'no-liftoff',
  'no-wasm-lazy-compilation',
  'no-wasm-dynamic-tiering',
] as const;

/** Turns of the trial; the first ones of the kernel that it is held against are not compiled as well yet. */
const TURNS = 24;
/** How much faster it must be to be taken. */
const GAIN = 0.9;

/** Products of sixteen columns, and of four that are left over. */
const HIDDEN = [36, 16];
const ITEMS = 512;
const HISTORY = 60;

let found: Promise<WebAssembly.Module | undefined> | undefined;

/**
 * The kernel for registers of 256 bits, where it can be had, gives the same bits as the kernel's own module, and is faster here: that is tried
 * once in a process, on a made-up person, in some 60 ms. Threads can be given it. Undefined elsewhere: in Node below 24, and on
 * processors without AVX2.
 */
export function wideKernel(
  now: () => number = () => performance.now(),
): Promise<WebAssembly.Module | undefined> {
  found ??= tried(now);
  return found;
}

async function tried(now: () => number): Promise<WebAssembly.Module | undefined> {
  if (Number.parseInt(process.versions.node, 10) < FIRST_NODE) return undefined;
  const wide = compileWide();
  const [narrowTrial, wideTrial] = [await openTrial(), await openTrial(wide)];
  let [narrowMs, wideMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let turn = 0; turn < TURNS; turn++) {
    const expected = await timed(narrowTrial, turn, now);
    const got = await timed(wideTrial, turn, now);
    if (got.numbers.some((number, i) => number !== expected.numbers[i])) return undefined;
    narrowMs = Math.min(narrowMs, expected.ms);
    wideMs = Math.min(wideMs, got.ms);
  }
  return wideMs < GAIN * narrowMs ? wide : undefined;
}

function compileWide(): WebAssembly.Module {
  try {
    for (const flag of FLAGS) setFlagsFromString(`--${flag}`);
    return new WebAssembly.Module(fromPackedText(WIDE_KERNEL_WASM));
  } finally {
    for (const flag of FLAGS)
      setFlagsFromString(flag.startsWith('no-') ? `--${flag.slice(3)}` : `--no-${flag}`);
  }
}

async function openTrial(module?: WebAssembly.Module): Promise<LoadedModel> {
  const input = { family: 'mlp', hidden: HIDDEN } as const;
  const model = createModel(resolveModelConfig(input, { items: ITEMS, meanHistory: HISTORY }), ITEMS);
  const engine = openWasmEngine(model, (bytes) => openWasmKernel(bytes, module));
  return engine.load(initialShared(model, seededRandom('trial')));
}

/** One training of a made-up person: every number that comes out of it, as bits, and how long it took. */
async function timed(
  loaded: LoadedModel,
  turn: number,
  now: () => number,
): Promise<{ numbers: Uint32Array; ms: number }> {
  const positives = keepLocal(Int32Array.from({ length: HISTORY }, (_, i) => (7 * i + turn) % ITEMS));
  const began = now();
  const { delta, local, loss } = await loaded.train(undefined, { positives }, seededRandom(turn));
  const ms = now() - began;
  return { numbers: new Uint32Array(Float32Array.from([...delta, ...local, loss]).buffer), ms };
}
