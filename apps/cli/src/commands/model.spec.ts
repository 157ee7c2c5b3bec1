import { expect, it } from 'vitest';
import { judgedLine } from './model.ts';

it('a verdict is told with its interval, and over how many people', () => {
  expect(
    judgedLine({
      ...{ sequence: 2, candidate: 'a'.repeat(64), incumbent: 'b'.repeat(64), metric: 'ndcg@10' },
      ...{ verdict: 'promote', difference: 0.0312, low: -0.004, high: 0.0664, confidence: 0.95 },
      ...{ people: 212.4, looks: 2 },
    }),
  ).toBe('judged: promote; NDCG@10 +0.031, from −0.004 to +0.066, over 212 people in 2 looks');
});
