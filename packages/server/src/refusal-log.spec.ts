import { manualClock } from '@tutti/coordination';
import { describe, expect, it } from 'vitest';
import { EVERY_MS, refusalLog } from './refusal-log.ts';

function opened() {
  const clock = manualClock();
  const lines: object[] = [];
  const refusals = refusalLog({ write: (_event, fields) => void lines.push(fields) }, clock);
  return { clock, lines, refusals };
}

describe('what is over a limit', () => {
  it('is a line at once, and then one every 10 s that says how many more', () => {
    const { clock, lines, refusals } = opened();
    for (let i = 0; i < 800; i++) refusals.refused('requests', '203.0.113.1');
    refusals.refused('handshakes', '203.0.113.1');
    refusals.refused('requests', '203.0.113.2');
    const first = { limit: 'requests', address: '203.0.113.1' };
    expect(lines.splice(0)).toEqual([
      first,
      { limit: 'handshakes', address: '203.0.113.1' },
      { limit: 'requests', address: '203.0.113.2' },
    ]);
    clock.advance(EVERY_MS);
    refusals.refused('requests', '203.0.113.1');
    expect(lines.splice(0)).toEqual([{ ...first, count: 799 }]);
    clock.advance(EVERY_MS);
    expect(lines.splice(0)).toEqual([{ ...first, count: 1 }]);
    // Quiet since then: the next is a first one again.
    clock.advance(EVERY_MS);
    refusals.refused('requests', '203.0.113.1');
    expect(lines.splice(0)).toEqual([first]);
  });

  it('is told of ever more addresses together, and of all once it closes', () => {
    const { clock, lines, refusals } = opened();
    for (let i = 0; i < 3_000; i++) refusals.refused('requests', `10.0.${i >> 8}.${i & 255}`);
    expect(lines.splice(0)).toHaveLength(1_001);
    refusals.close();
    expect(lines.splice(0)).toEqual([{ limit: 'requests', address: undefined, count: 1_999 }]);
    clock.advance(EVERY_MS);
    expect(lines).toEqual([]);
  });

  it('is that of a whole network of IPv6', () => {
    const { lines, refusals } = opened();
    for (const host of ['1', '2', '3']) refusals.refused('requests', `2001:db8::${host}`);
    expect(lines).toEqual([{ limit: 'requests', address: '2001:db8::1' }]);
  });
});
