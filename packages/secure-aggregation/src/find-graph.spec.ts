import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NoGraphError } from './errors.ts';
import { findGraph } from './find-graph.ts';

describe('findGraph', () => {
  // Known answers of the design (σ = 40, η = 20): n, corrupt, dropped → k / t.
  it.each<[number, number, number, 'semi-honest' | 'semi-malicious', string]>([
    [100, 5, 33, 'semi-honest', '28/6'],
    [1000, 50, 330, 'semi-honest', '72/24'],
    [1000, 50, 50, 'semi-honest', '30/17'],
    [10000, 500, 500, 'semi-honest', '34/20'],
    [1000, 330, 50, 'semi-honest', '78/60'],
    [1000, 50, 50, 'semi-malicious', '52/37'],
    [100, 33, 5, 'semi-malicious', '42/37'],
  ])('of %i members, %i corrupt, %i dropped, %s: %s', (members, corrupt, dropped, adversary, answer) => {
    const { degree, threshold } = findGraph({ members, corrupt, dropped, adversary, correctnessBits: 20 });
    expect(`${degree}/${threshold}`).toBe(answer);
  });

  it('gives a threshold that corrupt neighbours alone never reach, and surviving ones can', () => {
    const whole = (max: number) => fc.integer({ min: 0, max });
    fc.assert(
      fc.property(fc.integer({ min: 40, max: 400 }), whole(12), whole(12), (members, corrupt, dropped) => {
        for (const adversary of ['semi-honest', 'semi-malicious'] as const) {
          const { degree, threshold } = findGraph({ members, corrupt, dropped, adversary });
          expect(degree % 2).toBe(0);
          expect(degree).toBeLessThan(members - 1);
          expect(threshold).toBeGreaterThanOrEqual(2);
          expect(threshold).toBeLessThanOrEqual(degree);
          if (adversary === 'semi-malicious') expect(2 * threshold).toBeGreaterThan(degree);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('never asks less of a graph when it is to survive more', () => {
    let before = 0;
    for (const dropped of [0, 10, 50, 100, 200, 300]) {
      const { degree } = findGraph({ members: 1000, corrupt: 50, dropped, adversary: 'semi-honest' });
      expect(degree).toBeGreaterThanOrEqual(before);
      before = degree;
    }
  });

  it.each([
    { members: 3, corrupt: 0, dropped: 0 },
    { members: 100, corrupt: 2.5, dropped: 0 },
    { members: 100, corrupt: 50, dropped: 50 },
    { members: 100, corrupt: -1, dropped: 0 },
  ])('refuses %o', (question) => {
    expect(() => findGraph({ ...question, adversary: 'semi-honest' })).toThrow(/needed|leave nobody/);
  });

  it('says where no graph fits', () => {
    expect(() => findGraph({ members: 20, corrupt: 9, dropped: 9, adversary: 'semi-malicious' })).toThrow(
      NoGraphError,
    );
  });
});
