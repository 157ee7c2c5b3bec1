import type { Setting } from '../kernel.ts';

/** The memory of a kernel in TypeScript, and what the host set. Places are in bytes, as in the WebAssembly module. */
export interface Heap {
  floats: Float32Array;
  doubles: Float64Array;
  integers: Int32Array;
  bytes: Uint8Array;
  readonly at: Record<Setting, number>;
}

/** Copies `count` float32 numbers from place to place. */
export function copyFloats({ floats }: Heap, to: number, from: number, count: number): void {
  floats.copyWithin(to >> 2, from >> 2, (from >> 2) + count);
}
