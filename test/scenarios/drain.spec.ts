import type { CoordinationEvent } from '@tutti/coordination';
import { describe, expect, it } from 'vitest';
import {
  change,
  committed,
  expectClose,
  meanDelta,
  openStory,
  taskConfig,
  type Story,
} from './federation.ts';

/** A coordinator that is about to stop waits for whoever is there, and for a moment for whoever lost the connection; not for the others. */

/** How long clients may be gone. */
const GONE_MS = 3_000;

async function draining(story: Story): Promise<{ isOver: () => boolean }> {
  let isOver = false;
  void story.coordination.drain().then(() => (isOver = true));
  await story.settle();
  return { isOver: () => isOver };
}

async function after({ clock, settle }: Story, ms: number): Promise<void> {
  clock.advance(ms);
  await settle();
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

describe('an attempt whose clients are all gone', () => {
  const deadlinesMs = { train: 120_000, shareKeys: 120_000, maskedInput: 120_000, unmask: 120_000 };
  const patient = taskConfig({ deadlinesMs });
  const leave = ({ clients, coordination }: Story): void =>
    clients.forEach(({ id }) => coordination.disconnected(id));

  it.each([
    ['describe', 'too-few-ready'],
    ['relay-shares', 'too-few-survivors'],
  ] as const)('at %s ends 10 to 20 s later, long before its deadline', async (silentFrom, reason) => {
    const story = await openStory({ count: 8, config: patient });
    for (const client of story.clients) client.silentFrom = silentFrom;
    await story.gather();
    await story.settle();
    story.clock.advance(5_000);
    leave(story);
    for (let seconds = 0; seconds < 10; seconds++) await after(story, 1_000);
    expect(ends(story)).toEqual([]);
    for (let seconds = 0; seconds < 10; seconds++) await after(story, 1_000);
    expect(story.events).toMatchObject([{ type: 'aborted', reason }]);
  });

  it('goes on where they come again in time, one of them after the other', async () => {
    const story = await openStory({ count: 8, config: patient });
    for (const client of story.clients) client.silentFrom = 'describe';
    await story.gather();
    await story.settle();
    const [first] = story.clients as [Story['clients'][number]];
    leave(story);
    await after(story, 15_000);
    // It is there for a moment, and gone for less than the others at the next look.
    story.coordination.connected('films', first.id);
    story.coordination.disconnected(first.id);
    await after(story, 14_000);
    expect(ends(story)).toEqual([]);
    for (const client of story.clients) delete client.silentFrom;
    story.clients.forEach(({ id }) => story.coordination.connected('films', id));
    await story.settle();
    expect(ends(story)).toEqual(['committed', 'finished']);
  });
});
