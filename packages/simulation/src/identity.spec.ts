import { describe, expect, it } from 'vitest';
import { simulatedId, simulatedIdentity } from './identity.ts';

describe('a simulated identity', () => {
  it('has one id, whether its keys are made or not', () => {
    for (const user of [0, 1, 6_039])
      expect(simulatedId('seed', user)).toBe(simulatedIdentity('seed', user).id);
    expect(simulatedId('seed', 1)).not.toBe(simulatedId('other', 1));
  });
});
