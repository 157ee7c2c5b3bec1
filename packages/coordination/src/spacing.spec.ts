import { describe, expect, it } from 'vitest';
import { manualClock } from './memory.ts';
import { Spacing, spacingAfter } from './spacing.ts';

describe('attempts that end as soon as they began', () => {
  it('are spaced out, to half a minute at most', () => {
    expect([0, 1, 2, 3, 6, 1_000].map(spacingAfter)).toEqual([0, 1_000, 2_000, 4_000, 30_000, 30_000]);
  });

  it('hold the next one for what is left of that, until one comes to something or is asked for', () => {
    const clock = manualClock();
    const spacing = new Spacing(clock);
    let begun = 0;
    const failed = (tookMs: number): number => spacing.failed('too-few-ready', tookMs, () => void begun++);
    expect([failed(300), spacing.holds]).toEqual([700, true]);
    clock.advance(699);
    expect([spacing.holds, begun]).toEqual([true, 0]);
    clock.advance(1);
    expect([spacing.holds, begun]).toEqual([false, 1]);
    expect(failed(0)).toBe(2_000);
    spacing.release();
    clock.advance(60_000);
    expect([spacing.holds, begun]).toEqual([false, 1]);
    spacing.succeeded();
    expect(failed(0)).toBe(1_000);
  });

  it('hold nothing that took its time, nor what another reason ended', () => {
    const spacing = new Spacing(manualClock());
    expect(spacing.failed('too-few-ready', 1_000, () => undefined)).toBe(0);
    expect(spacing.failed('gateway-lost', 0, () => undefined)).toBe(0);
    expect(spacing.holds).toBe(false);
  });
});
