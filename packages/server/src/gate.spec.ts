import { describe, expect, it } from 'vitest';
import { networkOf, openGate } from './gate.ts';

const limits = {
  connectionsPerAddress: 2,
  handshakesPerMinute: 4,
  requestsPerMinute: 3,
  messagesPerMinute: 6_000,
};
const times = async <T>(count: number, ask: () => Promise<T>): Promise<T[]> => {
  const answers: T[] = [];
  for (let i = 0; i < count; i++) answers.push(await ask());
  return answers;
};

describe('what one address may do', () => {
  it('is so many requests a minute, then no more until the minute is over', async () => {
    const gate = openGate(limits);
    const answers = await times(4, () => gate.request('203.0.113.1'));
    expect(answers.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    expect(answers[3]).toMatchObject({
      limit: 'requests',
      problem: 'more than 3 requests in a minute from one address',
    });
    expect(answers[3]?.retryAfterMs).toBeGreaterThan(50_000);
    expect(answers[3]?.retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(await gate.request('203.0.113.2')).toBeUndefined();
  });

  it('is so many sockets at a time, and one more when one has gone', async () => {
    const gate = openGate(limits);
    const enter = () => gate.enter('203.0.113.1');
    expect(await times(3, enter)).toMatchObject([
      undefined,
      undefined,
      { limit: 'connections-per-address', retryAfterMs: 30_000 },
    ]);
    gate.leave('203.0.113.1');
    expect(await enter()).toBeUndefined();
    // The fifth handshake of this minute.
    gate.leave('203.0.113.1');
    expect(await enter()).toMatchObject({ limit: 'handshakes' });
  });

  it('is not bounded for this machine itself', async () => {
    const gate = openGate(limits);
    expect(new Set(await times(20, () => gate.request('127.0.0.1')))).toEqual(new Set([undefined]));
    expect(new Set(await times(20, () => gate.enter('::1')))).toEqual(new Set([undefined]));
  });

  it.each([
    ['203.0.113.1', '203.0.113.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
  ])('counts %s as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
