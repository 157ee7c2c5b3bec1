import { createEngine, type BackendName, type Tensorflow } from '@tutti/model';
import { openNodeTensorflow } from '@tutti/model/node';
import { beforeAll, describe, it } from 'vitest';
import { contract } from '../test/contract.ts';
import { FAMILIES } from '../test/people.ts';
import { openTrainingEngine } from './index.ts';

describe.each(['simd', 'ts'] as const)('the engine contract, %s', (engine) => {
  const open = contract({
    open: (model) => openTrainingEngine({ model, engine }),
    rounding: 5e-6,
    alive: () => 0,
  });
  for (const { name, check } of open) it(name, check);
});

/** The addon of tfjs-node is a download, or built by `npm run tfjs-node`; it is not on every machine. */
const native = await openNodeTensorflow({ backend: 'tensorflow' }).then(
  () => '',
  (error: unknown) => `needs tfjs-node (npm run tfjs-node): ${String(error).split('\n')[0] ?? ''}`,
);

describe.each<BackendName>(['cpu', 'wasm', 'tensorflow'])('the engine contract, tfjs on %s', (backend) => {
  if (backend === 'tensorflow' && native !== '') {
    it('runs', (ctx) => ctx.skip(native));
    return;
  }
  let tf: Tensorflow;
  beforeAll(async () => {
    ({ tf } = await openNodeTensorflow({ backend }));
  });
  const promised = contract({
    open: (model) => createEngine({ model, tf, backend }),
    rounding: 5e-6,
    families: FAMILIES.filter((_, index) => index % 2 === 1),
    alive: () => tf.memory().numTensors + tf.memory().numDataBuffers,
  });
  for (const { name, check } of promised) it(name, check);
});
