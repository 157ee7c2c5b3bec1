import { describe, expect, it } from 'vitest';
import { memoryClientStore } from '../memory-store.ts';
import { openHistory } from './history.ts';

describe('a history', () => {
  it('leaves out what was taken back, before and after it is read again', async () => {
    const store = memoryClientStore();
    const history = openHistory(store, () => 7);
    const items = async () => (await history.all()).map(({ item }) => item);
    await history.record([{ item: 'a' }, { item: 'b', kind: 'like' }, { item: 'a' }]);
    expect(await items()).toEqual(['a', 'b', 'a']);
    await history.record({ item: 'a', kind: 'undo' });
    expect(await items()).toEqual(['b']);
    await history.record([
      { item: 'a', kind: 'like' },
      { item: 'c', kind: 'undo' },
    ]);
    expect(await items()).toEqual(['b', 'a']);
    history.refresh();
    expect(await history.all()).toEqual([
      { item: 'b', kind: 'like', at: 7 },
      { item: 'a', kind: 'like', at: 7 },
    ]);
    // The log keeps what was done: only what counts is told.
    expect(await store.readLog('interactions')).toHaveLength(3);
  });
});
