import type { CoordinationEvent } from '@tutti/coordination';
import { describe, expect, it } from 'vitest';
import { change, committed, expectClose, meanDelta, openStory, type Story } from './federation.ts';

/** A coordinator that is about to stop waits for whoever is there, and for a moment for whoever lost the connection; not for the others. */

/** How long clients may be gone. */
const GONE_MS = 3_000;

async function draining(story: Story): Promise<{ isOver: () => boolean }> {
  let isOver = false;
  void story.coordination.drain().then(() => (isOver = true));
  await story.settle();
  return { isOver: () => isOver };
}

const ends = ({ events }: Story): CoordinationEvent['type'][] => events.map(({ type }) => type);

describe('an attempt that goes on while the coordinator drains', () => {
  it('ends once everybody is gone, long before its deadline', async () => {
    const story = await openStory({ count: 8 });
    for (const client of story.clients) client.silentFrom = 'describe';
    await story.gather();
    const drain = await draining(story);
    story.clients.forEach(({ id }) => story.coordination.disconnected(id));
    story.clock.advance(GONE_MS - 1);
    await story.settle();
    expect([drain.isOver(), ends(story)]).toEqual([false, []]);
    story.clock.advance(1);
    await story.settle();
    expect(drain.isOver()).toBe(true);
    expect(story.events).toMatchObject([{ type: 'aborted', reason: 'too-few-ready' }]);
  });

  it('ends as well where they were gone before', async () => {
    const story = await openStory({ count: 8 });
    for (const client of story.clients) client.silentFrom = 'roster';
    await story.gather();
    await story.settle();
    story.clients.forEach(({ id }) => story.coordination.disconnected(id));
    const drain = await draining(story);
    story.clock.advance(GONE_MS);
    await story.settle();
    expect(drain.isOver()).toBe(true);
    expect(story.events).toMatchObject([{ type: 'aborted', reason: 'too-few-sharers' }]);
  });

  it('is committed by those who are there', async () => {
    const story = await openStory({ count: 8 });
    const lost = story.clients.slice(0, 2);
    for (const client of lost) client.silentFrom = 'describe';
    await story.gather();
    const drain = await draining(story);
    lost.forEach(({ id }) => story.coordination.disconnected(id));
    story.clock.advance(GONE_MS);
    await story.settle();
    expect(drain.isOver()).toBe(true);
    const [event] = story.events;
    if (event === undefined) throw new Error('nothing ended');
    expectClose(await change(story, committed(event)), meanDelta(story.clients.slice(2)));
  });

  it('waits for one that comes again in time', async () => {
    const story = await openStory({ count: 8 });
    for (const client of story.clients) client.silentFrom = 'describe';
    await story.gather();
    const drain = await draining(story);
    story.clients.forEach(({ id }) => story.coordination.disconnected(id));
    story.clock.advance(GONE_MS - 1);
    for (const client of story.clients) delete client.silentFrom;
    story.clients.forEach(({ id }) => story.coordination.connected('films', id));
    await story.settle();
    story.clock.advance(1);
    await story.settle();
    expect([drain.isOver(), ends(story)]).toEqual([true, ['committed', 'finished']]);
  });
});
