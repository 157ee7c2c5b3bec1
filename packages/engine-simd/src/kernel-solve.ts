import { InternalError } from '@tutti/base';
import type { LocalSolve } from '@tutti/model';
import type { Address, Kernel } from './kernel.ts';

/** Keeps the system regular where somebody has no interactions and nothing regularises. */
const SMALLEST_RIDGE = 1e-9;

/** Where the person's items stand, HᵀH, and scratch. */
interface Places {
  readonly positives: Address;
  readonly count: number;
  readonly gram: Address;
  readonly left: Address;
  readonly right: Address;
}

/** Solves a person's vector in closed form into the kernel's `vector`. @param items of the whole catalogue. */
export function solveInKernel(
  { call }: Kernel,
  { unobservedWeight: a0, regularization }: LocalSolve,
  items: number,
  { positives, count, gram, left, right }: Places,
): void {
  const ridge = regularization * (count + a0 * items) + SMALLEST_RIDGE;
  if (call.solveVector(positives, count, gram, a0, ridge, left, right) === 0)
    throw new InternalError('the matrix is not positive definite');
}
