import { SETTINGS, type Kernel, type Setting } from './kernel.ts';
import { exampleFunctions } from './typescript/examples.ts';
import { factorizationFunctions } from './typescript/factorization.ts';
import type { Heap } from './typescript/heap.ts';
import { rankingFunctions } from './typescript/ranking.ts';
import { towerFunctions } from './typescript/tower.ts';

/** The kernel in plain TypeScript, for platforms and content policies without WebAssembly SIMD. Same places, same functions. */
export function openTypescriptKernel(bytes: number): Kernel {
  const at = Object.fromEntries(SETTINGS.map((name) => [name, 0])) as Record<Setting, number>;
  const heap: Heap = { ...viewsOf(new ArrayBuffer(wholeWords(bytes))), at };
  return {
    call: {
      ...exampleFunctions(heap),
      ...rankingFunctions(heap),
      ...towerFunctions(heap),
      ...factorizationFunctions(heap),
    },
    set: (settings) => void Object.assign(at, settings),
    get floats() {
      return heap.floats;
    },
    get doubles() {
      return heap.doubles;
    },
    get integers() {
      return heap.integers;
    },
    get bytes() {
      return heap.bytes;
    },
    reserve(least) {
      if (least <= heap.bytes.length) return;
      const views = viewsOf(new ArrayBuffer(wholeWords(least)));
      views.bytes.set(heap.bytes);
      Object.assign(heap, views);
    },
    close: () => void heap.bytes.fill(0),
  };
}

const wholeWords = (bytes: number): number => Math.ceil(bytes / 8) * 8;

function viewsOf(buffer: ArrayBuffer): Omit<Heap, 'at'> {
  return {
    floats: new Float32Array(buffer),
    doubles: new Float64Array(buffer),
    integers: new Int32Array(buffer),
    bytes: new Uint8Array(buffer),
  };
}
