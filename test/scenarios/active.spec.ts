import type { TaskConfig } from '@tutti/coordination';
import { decodeClientMessage } from '@tutti/protocol';
import { describe, expect, it } from 'vitest';
import {
  change,
  committed,
  expectClose,
  meanDelta,
  openStory,
  refusalOf,
  taskConfig,
  withOneLess,
  type Silence,
  type Story,
  type StoryClient,
} from './federation.ts';

const active = (over: Partial<TaskConfig> = {}): TaskConfig => taskConfig({ mode: 'active', ...over });

/** Sixty clients in one group, sparse because complete graphs end at 16: k = 8, t = 4 semi-honest, 10 and 7 active. */
const sparse = (over: Partial<TaskConfig> = {}): TaskConfig =>
  taskConfig({
    cohort: { planned: 60, smallest: 60, largestGroup: 128, overselection: 1 },
    graph: { corruptPermille: 50, dropoutPermille: 50, largestComplete: 16 },
    ...over,
  });

const bitsOf = (bytes: Uint8Array | undefined): number =>
  [...(bytes ?? [])].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);

describe('a round in active mode', () => {
  it('signs the survivors before anyone unmasks, and commits the mean', async () => {
    const story = await openStory({ count: 8, config: active() });
    await story.gather();
    const record = committed(await story.untilEnd());
    expect(record).toMatchObject({ reported: 8, dropped: [] });
    expectClose(await change(story, record), meanDelta(story.clients));
    for (const { heard } of story.clients)
      expect(heard.map(({ type }) => type)).toEqual([
        'describe',
        'roster',
        'relay-shares',
        'survivors',
        'survivor-signatures',
        'outcome',
      ]);
  });

  it.each<[Silence, string]>([
    ['roster', 'share-keys'],
    ['relay-shares', 'masked-input'],
    ['survivors', 'survivors'],
    ['survivor-signatures', 'unmask'],
  ])('loses a client that falls silent at %s: it is counted under %s', async (silence, phase) => {
    const story = await openStory({ count: 8, config: active() });
    const silent = story.clients[2] as StoryClient;
    silent.silentFrom = silence;
    await story.gather();
    const record = committed(await story.untilEnd());
    expect(record.dropped).toEqual([{ phase, count: 1 }]);
    const inSum = silence.startsWith('survivor')
      ? story.clients
      : story.clients.filter((client) => client !== silent);
    expect(record.reported).toBe(inSum.length);
    expectClose(await change(story, record), meanDelta(inSum));
  });

  it('ends as too-few-signatures when most do not sign, with nothing unmasked, and goes on', async () => {
    const story = await openStory({ count: 8, config: active() });
    for (const client of story.clients.slice(0, 6)) client.silentFrom = 'survivors';
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'too-few-signatures' });
    expect(story.clients.flatMap(({ heard }) => heard.map(({ type }) => type))).not.toContain(
      'survivor-signatures',
    );
    for (const client of story.clients) delete client.silentFrom;
    await story.gather();
    expect(committed(await story.untilEnd())).toMatchObject({ round: 1, attempt: 2, reported: 8 });
  });

  it('shown different survivors, clients sign different things, and nobody unmasks', async () => {
    const story: Story = await openStory({
      count: 8,
      config: active(),
      alter: (client, message) =>
        message.type === 'survivors' && client % 2 === 1
          ? withOneLess(story, story.clients[client] as StoryClient, message)
          : message,
    });
    await story.gather();
    const event = await story.untilEnd();
    expect(event).toMatchObject({ type: 'aborted', reason: 'too-few-signatures' });
    const said = story.clients.flatMap(({ sent }) => sent.map((bytes) => decodeClientMessage(bytes).type));
    expect(said.filter((type) => type === 'sign-survivors')).toHaveLength(8);
    expect(said).not.toContain('unmask');
  });

  it('is refused by a client that asks for it where the coordinator is only said to be curious', async () => {
    const story = await openStory({ count: 8, policy: { mode: 'active' } });
    await story.gather();
    await story.settle();
    expect(story.clients.map(({ declined }) => declined)).toEqual(Array(8).fill(['mode-too-weak']));
  });
});

describe('a round on a sparse graph', () => {
  it.each(['semi-honest', 'active'] as const)(
    'reveals nonces, shares with neighbours alone, and commits the mean (%s)',
    async (mode) => {
      const story = await openStory({ count: 60, config: sparse({ mode }) });
      // One in twenty may drop out: three of sixty, here at three phase edges.
      const edges: Silence[] = ['roster', 'nonces', 'relay-shares'];
      edges.forEach((silence, at) => ((story.clients[10 * at] as StoryClient).silentFrom = silence));
      await story.gather();
      const record = committed(await story.untilEnd());
      expect(record.dropped).toEqual([
        { phase: 'reveal-nonces', count: 1 },
        { phase: 'share-keys', count: 1 },
        { phase: 'masked-input', count: 1 },
      ]);
      const included = story.clients.filter((_, i) => ![0, 10, 20].includes(i));
      expect(record.reported).toBe(57);
      expectClose(await change(story, record), meanDelta(included));
      const degree = mode === 'active' ? 10 : 8;
      for (const { heard } of included) {
        const shares = heard.find((message) => message.type === 'relay-shares');
        expect((shares?.shares.length ?? 0) / 82).toBeLessThanOrEqual(degree);
        expect(bitsOf(heard.find((message) => message.type === 'survivors')?.survivors)).toBe(57);
      }
    },
    60_000,
  );

  it('ends when more drop out than it was found for, before anything is unmasked', async () => {
    const story = await openStory({ count: 60, config: sparse() });
    for (const client of story.clients.slice(0, 4)) client.silentFrom = 'relay-shares';
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'too-few-survivors' });
    expect(story.clients.flatMap(({ heard }) => heard.map(({ type }) => type))).not.toContain('survivors');
  });

  it('refuses a nonce that was not committed to, and one before its time', async () => {
    const story = await openStory({ count: 60, config: sparse() });
    await story.gather();
    const { id } = story.clients[0] as StoryClient;
    const nonce = new Uint8Array(32);
    expect(refusalOf(await story.coordination.handle(id, { type: 'reveal-nonce', attempt: 1, nonce }))).toBe(
      'wrong-phase',
    );
    for (const client of story.clients.slice(0, 5)) client.silentFrom = 'roster';
    await story.settle();
    expect(refusalOf(await story.coordination.handle(id, { type: 'reveal-nonce', attempt: 1, nonce }))).toBe(
      'nonce-mismatch',
    );
  });
});

describe('a round of several groups, one of them poisoned', () => {
  it.each(['median', 'trimmed-mean'] as const)('is not decided by it (%s)', async (combine) => {
    const config = taskConfig({
      combine,
      clippingNorm: 1_000,
      cohort: { planned: 24, smallest: 24, largestGroup: 8, overselection: 1 },
    });
    const story = await openStory({ count: 24, config });
    for (const { delta } of story.clients) delta.fill(0.5);
    (story.clients[3] as StoryClient).delta.fill(200);
    await story.gather();
    const record = committed(await story.untilEnd());
    expect(record.groups).toBe(3);
    // Two of three groups say 0.5; a mean would say 0.5 + 199.5 / 24. Rounding: 1000 · 2⁻²⁰ a unit.
    for (const value of await change(story, record)) expect(Math.abs(value - 0.5)).toBeLessThan(2e-3);
  });
});
