import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fewestSurvivors, smallestGroup, thresholdFor } from './graph.ts';

describe('smallestGroup', () => {
  it('is the least that splitting any cohort from the smallest to the planned one can give', () => {
    const sizes = fc
      .record({
        smallest: fc.integer({ min: 2, max: 300 }),
        more: fc.integer({ min: 0, max: 300 }),
        largestGroup: fc.integer({ min: 2, max: 130 }),
      })
      .map(({ smallest, more, largestGroup }) => ({ smallest, planned: smallest + more, largestGroup }));
    fc.assert(
      fc.property(sizes, ({ planned, smallest, largestGroup }) => {
        let least = Number.POSITIVE_INFINITY;
        for (let cohort = smallest; cohort <= planned; cohort++)
          least = Math.min(least, Math.floor(cohort / Math.ceil(cohort / largestGroup)));
        expect(smallestGroup({ planned, smallest, largestGroup })).toBe(least);
        expect(fewestSurvivors({ planned, smallest, largestGroup })).toBe(
          Math.min(least, thresholdFor(Math.max(2, least)) + 1),
        );
      }),
      { numRuns: 500 },
    );
  });
});
