import { MAX_VECTOR_WORDS } from '@tutti/protocol';
import { lanesOf } from './lanes.ts';
import { isCorrelated, mechanismOf } from './noise-plan.ts';
import type { ConfigProblem } from './noise-problems.ts';
import type { TaskConfig } from './task-config.ts';

/** Slices that do not fit the catalogue or the noise, and vectors that no message carries. */
export function sliceProblems(config: TaskConfig): ConfigProblem[] {
  const { model, slice, noise } = config;
  if (slice !== undefined) {
    const { rows, head } = slice;
    if (!(Number.isInteger(rows) && rows >= 1 && rows <= model.items))
      return [
        { path: 'slice.rows', problem: `${rows} is not a whole number from 1 to ${model.items}, the items` },
      ];
    if (!(Number.isInteger(head) && head >= 0 && head < rows))
      return [
        { path: 'slice.head', problem: `${head} is not a whole number from 0, below the ${rows} rows` },
      ];
    if (isCorrelated(mechanismOf(noise)))
      return [
        {
          path: 'noise.mechanism',
          problem: `${mechanismOf(noise).name} noise cancels over rounds that hold the same rows; those of slices change (gaussian or skellam, or no slices)`,
        },
      ];
  }
  const { length } = lanesOf(config, 'train');
  return length <= MAX_VECTOR_WORDS
    ? []
    : [
        {
          path: 'model',
          problem: `its vector of ${length} words is above ${MAX_VECTOR_WORDS}: a smaller dimension or slice is needed`,
        },
      ];
}
