import { EnvironmentError } from '@tutti/base';
// By its own path, so that no bundler brings the kernel in TypeScript along.
import { wasmKernelRuns } from '@tutti/engine-simd/wasm';
import type { BrowserRecommender, OpenOptions } from './facade.ts';
import { openHere } from './here.ts';
import { wasmParts } from './wasm-parts.ts';

/**
 * What a page falls back to without a worker; loaded then alone, and without the kernel in TypeScript.
 * @throws {EnvironmentError} where WebAssembly is refused as well.
 */
export async function openInPage(options: OpenOptions): Promise<BrowserRecommender> {
  if (!wasmKernelRuns())
    throw new EnvironmentError(
      "this page may start no worker and run no WebAssembly: allow one of them in its content policy (worker-src 'self', script-src 'wasm-unsafe-eval'), or take openRecommender from @tutti/client-browser/in-place, which needs neither",
    );
  return openHere(options, wasmParts);
}
