import { shareEngine, type SharedEngine } from '@tutti/client/sdk';
import type { EngineChoice } from '@tutti/engine-simd';
import { openNodeEngine } from '@tutti/engine-simd/node';
import type { BackendName } from '@tutti/model';

/**
 * An engine for this process: `auto` takes the kernel, or TensorFlow.js where a model is so wide that an accelerator is
 * faster. A `backend` that is asked for by name is one of TensorFlow.js.
 */
export async function createSharedEngine(
  options: { engine?: EngineChoice; backend?: BackendName | 'auto' } = {},
): Promise<SharedEngine> {
  return shareEngine((model) => openNodeEngine({ model, ...options }));
}
