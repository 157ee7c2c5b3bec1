import { compactRows, drawExamplesFrom } from '@tutti/model';
import type { KernelFunctions } from '../kernel.ts';
import type { Heap } from './heap.ts';

/** Drawing and compacting, as the definition in packages/model does it. */
export function exampleFunctions(heap: Heap): Pick<KernelFunctions, 'drawExamples' | 'compactRows'> {
  return {
    drawExamples(positives, count, catalogue, negatives, a, b, c, d, _marks, items, labels) {
      const own = heap.integers.slice(positives / 4, positives / 4 + count);
      const drawn = drawExamplesFrom([a, b, c, d], own, catalogue, negatives);
      heap.integers.set(drawn.items, items / 4);
      heap.floats.set(drawn.labels, labels / 4);
      return drawn.items.length;
    },
    compactRows(items, count, _marks, rows, positions) {
      const compact = compactRows(heap.integers.subarray(items / 4, items / 4 + count));
      heap.integers.set(compact.rows, rows / 4);
      heap.integers.set(compact.positions, positions / 4);
      return compact.rows.length;
    },
  };
}
