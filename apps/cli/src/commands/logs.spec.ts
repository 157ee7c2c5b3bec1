import { expect, it } from 'vitest';
import { lineOf } from './logs.ts';

it('tells of devices that declined how many did for which reason', () => {
  const line = {
    ...{ id: 7, level: 'warn', time: '12:30:05', event: 'attempt-aborted', task: 'films' },
    ...{ declined: { 'wrong-model': 3, battery: 1 }, againAfterMs: 500 },
  };
  expect(lineOf(JSON.stringify(line))).toBe(
    '12:30:05 warn  attempt-aborted task=films declined=wrong-model:3,battery:1 againAfterMs=500',
  );
});
