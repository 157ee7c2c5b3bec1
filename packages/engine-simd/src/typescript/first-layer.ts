import type { Heap } from './heap.ts';
import type { Layer } from './layers.ts';

/** Splits the merged gradient into those of the blocks of the first layer; product head and output bias. */
export function splitFirstLayer({ floats, at }: Heap, [first]: readonly Layer[], count: number): void {
  const [person, gradients] = [at.person / 4, at.gradients / 4];
  for (let j = 0; j < at.productPadded; j++)
    floats[gradients + at.productHead / 4 + j] =
      (floats[person + j] as number) * (floats[at.productSums / 4 + j] as number);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += floats[at.slopes / 4 + i] as number;
  floats[gradients + at.outputBias / 4] = sum;
  if (first === undefined) return;
  const columns = first.padded;
  for (let i = 0; i < at.deepSize; i++) {
    const scale = floats[person + at.deepFrom + i] as number;
    for (let j = 0; j < columns; j++) {
      const within = i * columns + j;
      const bias = floats[gradients + at.firstBias / 4 + j] as number;
      floats[gradients + at.personKernel / 4 + within] = scale * bias;
      if (at.products === 0) continue;
      const merged = floats[gradients + at.itemKernel / 4 + within] as number;
      floats[gradients + at.productsKernel / 4 + within] = scale * merged;
    }
  }
}
