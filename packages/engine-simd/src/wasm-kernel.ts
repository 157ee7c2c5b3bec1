import { KERNEL_WASM } from './kernel-wasm.gen.ts';
import { fromPackedText } from '@tutti/base';
import type { Kernel, KernelFunctions, Setting } from './kernel.ts';

const PAGE_BYTES = 65_536;

let compiled: WebAssembly.Module | undefined;

/** Compiles the kernel once. @throws where the platform has no WebAssembly SIMD, or a content policy forbids WebAssembly. */
function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(fromPackedText(KERNEL_WASM));
  return compiled;
}

/** Whether the kernel runs here. */
export function wasmKernelRuns(): boolean {
  try {
    kernelModule();
    return true;
  } catch {
    return false;
  }
}

/**
 * A fresh instance with at least `bytes` of memory. @param module the kernel, where it is another one than the package's own.
 * @throws as where {@link wasmKernelRuns} is false.
 */
export function openWasmKernel(bytes: number, module = kernelModule()): Kernel {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const globals = exports as Record<Setting, WebAssembly.Global>;
  let views = viewsOf(memory);
  return {
    call: exports as unknown as KernelFunctions,
    set(settings) {
      for (const [name, value] of Object.entries(settings)) globals[name as Setting].value = value;
    },
    get floats() {
      return views.floats;
    },
    get doubles() {
      return views.doubles;
    },
    get integers() {
      return views.integers;
    },
    get bytes() {
      return views.bytes;
    },
    reserve(least) {
      const missing = Math.ceil((least - memory.buffer.byteLength) / PAGE_BYTES);
      if (missing <= 0) return;
      memory.grow(missing);
      views = viewsOf(memory);
    },
    close: () => void views.bytes.fill(0),
  };
}

function viewsOf({ buffer }: WebAssembly.Memory): Pick<Kernel, 'floats' | 'doubles' | 'integers' | 'bytes'> {
  return {
    floats: new Float32Array(buffer),
    doubles: new Float64Array(buffer),
    integers: new Int32Array(buffer),
    bytes: new Uint8Array(buffer),
  };
}
