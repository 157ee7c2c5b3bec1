// First what holds WebAssembly as text: gzip packs a program better whose long texts stand at its begin.
import { wasmKernelRuns } from '@tutti/engine-simd/wasm-kernel';
import { wasmParts } from './wasm-parts.ts';
import { createRoom, type Room } from './room.ts';

/**
 * The engine room of a page that may start no worker. A file of its own, as the worker's, which the page loads by its address: few pages
 * need it, and it is ten times what they load else.
 * @returns nothing where WebAssembly is refused as well.
 */
export const roomInPage = (): Room | undefined => (wasmKernelRuns() ? createRoom(wasmParts) : undefined);
