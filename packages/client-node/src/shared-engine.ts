import { shareEngine, type SharedEngine } from '@tutti/client/sdk';
import type { EngineChoice } from '@tutti/engine-simd';
import { openNodeEngine } from '@tutti/engine-simd/node';
import type { BackendName, OwnModel } from '@tutti/model';

/**
 * An engine for this process: `auto` takes the kernel, or TensorFlow.js where a model is so wide that an accelerator is
 * faster. A `backend` that is asked for by name is one of TensorFlow.js.
 * @param options.model the app's own model, for tasks that train it.
 */
export async function createSharedEngine(
  options: { engine?: EngineChoice; backend?: BackendName | 'auto'; model?: OwnModel } = {},
): Promise<SharedEngine> {
  const { model: definition, ...choice } = options;
  const own = definition === undefined ? {} : { definition };
  return shareEngine((model) => openNodeEngine({ model, ...choice, ...own }));
}
