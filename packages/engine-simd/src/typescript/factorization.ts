import { solvePositiveDefiniteInPlace } from '@tutti/model';
import type { KernelFunctions } from '../kernel.ts';
import type { Heap } from './heap.ts';

/** Implicit matrix factorisation (assembly/factorization.ts). */
export function factorizationFunctions(
  heap: Heap,
): Pick<KernelFunctions, 'gramOf' | 'solveVector' | 'dotRange' | 'dotItems' | 'rankOneDelta'> {
  const { at } = heap;

  function addOuter(row: number, sum: number): void {
    const { floats, doubles } = heap;
    const d = at.dimension;
    for (let i = 0; i < d; i++) {
      const scale = floats[row + i] as number;
      const to = sum + i * d;
      for (let j = 0; j < d; j++)
        doubles[to + j] = (doubles[to + j] as number) + scale * (floats[row + j] as number);
    }
  }

  function dot(item: number): number {
    const { floats } = heap;
    const row = at.factors / 4 + item * at.dimension;
    const vector = at.vector / 4;
    let sum = 0;
    for (let i = 0; i < at.dimension; i++)
      sum += (floats[row + i] as number) * (floats[vector + i] as number);
    return sum;
  }

  return {
    gramOf(items, gram) {
      heap.doubles.fill(0, gram / 8, gram / 8 + at.dimension ** 2);
      for (let item = 0; item < items; item++) addOuter(at.factors / 4 + item * at.dimension, gram / 8);
    },
    solveVector(positives, count, gram, a0, ridge, left, right) {
      const { integers, floats, doubles } = heap;
      const d = at.dimension;
      for (let i = 0; i < d * d; i++) doubles[left / 8 + i] = a0 * (doubles[gram / 8 + i] as number);
      doubles.fill(0, right / 8, right / 8 + d);
      for (let p = 0; p < count; p++) {
        const row = at.factors / 4 + (integers[positives / 4 + p] as number) * d;
        addOuter(row, left / 8);
        for (let i = 0; i < d; i++)
          doubles[right / 8 + i] = (doubles[right / 8 + i] as number) + (floats[row + i] as number);
      }
      for (let i = 0; i < d; i++) {
        const diagonal = left / 8 + i * d + i;
        doubles[diagonal] = (doubles[diagonal] as number) + ridge;
      }
      const solution = doubles.subarray(right / 8, right / 8 + d);
      solvePositiveDefiniteInPlace(doubles.subarray(left / 8, left / 8 + d * d), solution);
      floats.set(solution, at.vector / 4);
      return 1;
    },
    dotRange(first, count, to) {
      for (let i = 0; i < count; i++) heap.floats[to / 4 + i] = dot(first + i);
    },
    dotItems(items, count, to) {
      for (let i = 0; i < count; i++) heap.floats[to / 4 + i] = dot(heap.integers[items / 4 + i] as number);
    },
    rankOneDelta(scores, items, positives, count, a0, delta) {
      const { floats, integers } = heap;
      const d = at.dimension;
      const [s, vector] = [scores / 4, at.vector / 4];
      let loss = 0;
      for (let item = 0; item < items; item++) {
        const score = floats[s + item] as number;
        loss += a0 * score * score;
        floats[s + item] = a0 * score;
      }
      for (let p = 0; p < count; p++) {
        const item = integers[positives / 4 + p] as number;
        const score = dot(item);
        loss += (score - 1) ** 2;
        floats[s + item] = (floats[s + item] as number) + score - 1;
      }
      for (let item = 0, to = delta / 4; item < items; item++, to += d) {
        const scale = -(floats[s + item] as number);
        for (let i = 0; i < d; i++) floats[to + i] = scale * (floats[vector + i] as number);
      }
      return loss;
    },
  };
}
