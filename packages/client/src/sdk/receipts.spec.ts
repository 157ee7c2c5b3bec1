import { describe, expect, it } from 'vitest';
import { memoryClientStore } from '../memory-store.ts';
import { openReceiptBook } from './receipts.ts';

const BEGUN = { attempt: 7, round: 3, purpose: 'train', at: 0, masked: true, atLeast: 12 } as const;

describe('receipts', () => {
  it('of a round that goes on say so, with what left until now', async () => {
    const book = openReceiptBook(memoryClientStore());
    book.sent(7, 100);
    await book.begin(BEGUN);
    book.sent(7, 2_900);
    const { total, list } = await book.all();
    expect(total).toEqual({ updates: 1, bytes: 3_000 });
    expect(list).toMatchObject([{ bytes: 3_000, outcome: 'running' }]);
    expect(list[0]?.text).toBe(
      'Your device takes part in a round that goes on now. 3 kB left it, all masked. Nobody can read your likes from it.',
    );
    expect(book.running()).toEqual([7]);
  });

  it.each([
    ['left', /your device left a round that it had begun\. 3 kB left it/],
    ['not-included', /a round whose sum was made without it\. 3 kB left it/],
    ['aborted', /a sum that was never made\. 3 kB left it/],
  ] as const)(
    'of a round that ended as %s say that, also when more is sent afterwards',
    async (outcome, text) => {
      const book = openReceiptBook(memoryClientStore());
      await book.begin(BEGUN);
      book.sent(7, 3_000);
      expect(await book.end(7, { outcome, cohort: null, epsilon: 1 })).toMatchObject({
        outcome,
        bytes: 3_000,
      });
      expect(book.running()).toEqual([]);
      book.sent(7, 40);
      const { total, list } = await book.all();
      expect(total.bytes).toBe(3_040);
      expect(list).toMatchObject([{ outcome, bytes: 3_000 }]);
      expect(list[0]?.text).toMatch(text);
    },
  );

  it('of a round that a device did not see the end of are what another page finds', async () => {
    const store = memoryClientStore();
    const book = openReceiptBook(store);
    await book.begin(BEGUN);
    book.sent(7, 3_000);
    const { list } = await openReceiptBook(store).all();
    expect(list).toMatchObject([{ outcome: 'unknown', bytes: 0 }]);
    expect(list[0]?.text).toMatch(
      /at least 12 people, and did not see how it ended\. What left it was all masked/,
    );
  });
});
