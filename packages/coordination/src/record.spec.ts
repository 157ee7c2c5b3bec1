import { EMPTY_LEDGER, spent } from '@tutti/privacy';
import { expect, it } from 'vitest';
import { addRelease } from './record.ts';

it('a round releases delta and metric lanes, an evaluation metric lanes alone: both count', () => {
  const metric = { metricL2: 10, metricVariance: 10_000 };
  const round = addRelease(EMPTY_LEDGER, { l1: 100, l2: 10, variance: 10_000, ...metric });
  const evaluation = addRelease(EMPTY_LEDGER, { l1: 0, l2: 0, variance: 0, ...metric });
  const both = addRelease(round, { l1: 0, l2: 0, variance: 0, ...metric });
  const epsilon = (ledger: typeof round): number => spent(ledger, 1e-5).readers;
  expect(epsilon(evaluation)).toBeGreaterThan(0);
  expect(epsilon(round)).toBeGreaterThan(epsilon(evaluation));
  expect(epsilon(both)).toBeGreaterThan(epsilon(round));
});
