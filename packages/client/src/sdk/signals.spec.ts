import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { deadlineSignal, eitherSignal } from './signals.ts';

describe('signals', () => {
  it('of two abort with either, also with one that had aborted', () => {
    for (const at of [0, 1]) {
      const sources = [new AbortController(), new AbortController()] as const;
      const both = eitherSignal(sources[0].signal, sources[1].signal);
      expect(both.aborted).toBe(false);
      sources[at]?.abort('why');
      expect([both.aborted, both.reason]).toEqual([true, 'why']);
    }
    expect(eitherSignal(AbortSignal.abort('before'), new AbortController().signal).reason).toBe('before');
  });

  it('of a deadline abort by themselves, with nobody holding what they are made of', async () => {
    const outer = new AbortController();
    const signal = deadlineSignal(20, outer.signal);
    // What is not held is collected: a page of garbage makes sure that the collector comes by.
    for (let i = 0; i < 200; i++) new Array(100_000).fill(i);
    await sleep(200);
    expect(signal.aborted).toBe(true);
    expect((signal.reason as Error).name).toBe('TimeoutError');
    expect(outer.signal.aborted).toBe(false);
  });
});
