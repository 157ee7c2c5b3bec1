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
  type StoryClient,
} from './federation.ts';

describe('a round', () => {
  it('commits the mean of everybody, and nobody sends anything but keys, sealed shares and masked words', async () => {
    const story = await openStory({ count: 8 });
    await story.gather();
    const record = committed(await story.untilEnd());
    expect(record).toMatchObject({
      round: 1,
      selected: 8,
      ready: 8,
      cohort: 8,
      reported: 8,
      dropped: [],
      declined: {},
    });
    expectClose(await change(story, record), meanDelta(story.clients));
  });

  it.each<[Silence, string, number]>([
    ['describe', 'train', 10_000],
    ['roster', 'share-keys', 5_000],
    ['relay-shares', 'masked-input', 7_000],
    ['survivors', 'unmask', 3_000],
  ])(
    'loses two clients that fall silent at %s: it costs that deadline, %s, and no more',
    async (silence, phase, deadlineMs) => {
      const story = await openStory({ count: 8 });
      const silent = [story.clients[2], story.clients[5]] as StoryClient[];
      for (const client of silent) client.silentFrom = silence;
      await story.gather();
      const started = story.clock.now();
      const record = committed(await story.untilEnd());
      expect(story.clock.now() - started).toBe(deadlineMs);
      expect(record.dropped).toEqual([{ phase, count: 2 }]);
      const included =
        silence === 'survivors' ? story.clients : story.clients.filter((client) => !silent.includes(client));
      expect(record.reported).toBe(included.length);
      expectClose(await change(story, record), meanDelta(included));
    },
  );

  it.each<[Silence, string]>([
    ['describe', 'too-few-ready'],
    ['roster', 'too-few-sharers'],
    ['relay-shares', 'too-few-survivors'],
    ['survivors', 'too-few-unmask-shares'],
  ])(
    'ends with its reason when most fall silent at %s (%s), and the next round starts',
    async (silence, reason) => {
      const story = await openStory({ count: 8 });
      for (const client of story.clients.slice(0, 6)) client.silentFrom = silence;
      await story.gather();
      const event = await story.untilEnd();
      expect(event).toMatchObject({ type: 'aborted', reason });
      for (const client of story.clients) delete client.silentFrom;
      await story.gather();
      const record = committed(await story.untilEnd());
      expect(record).toMatchObject({ round: 1, attempt: 2, reported: 8 });
    },
  );

  it('commits the same checkpoint with and without masks, whatever the dropouts', async () => {
    const run = async (protection: 'plain' | 'secure'): Promise<string> => {
      const story = await openStory({ count: 8, config: taskConfig({ protection }) });
      (story.clients[4] as StoryClient).silentFrom = 'relay-shares';
      await story.gather();
      return committed(await story.untilEnd()).modelHash;
    };
    expect(await run('secure')).toBe(await run('plain'));
  });

  it('adds several groups: a cohort of 24 in groups of 8', async () => {
    const config = taskConfig({ cohort: { planned: 24, smallest: 8, largestGroup: 8, overselection: 1 } });
    const story = await openStory({ count: 24, config });
    await story.gather();
    const record = committed(await story.untilEnd());
    expect(record).toMatchObject({ groups: 3, reported: 24 });
    expectClose(await change(story, record), meanDelta(story.clients));
  });

  it('leaves out a group that cannot be unmasked, and commits the others', async () => {
    const config = taskConfig({ cohort: { planned: 16, smallest: 8, largestGroup: 8, overselection: 1 } });
    const story = await openStory({ count: 16, config });
    await story.gather();
    await story.clients[0]?.device.handle({ type: 'outcome', outcome: 'not-included', attempt: 0 });
    // Whoever shares a group with client 0 is only known from its roster: silence everybody who hears the same group number.
    const groupOf = (client: StoryClient): number | undefined =>
      client.heard.flatMap((message) => (message.type === 'roster' ? [message.group] : []))[0];
    const original = story.clients.map((client) => client.device);
    story.clients.forEach((client, i) => {
      client.device = {
        ...(original[i] as StoryClient['device']),
        leave: () => undefined,
        vector: () => Promise.reject(new Error('not here')),
        handle: async (message) =>
          message.type === 'relay-shares' && groupOf(client) === 0
            ? []
            : (original[i] as StoryClient['device']).handle(message),
      };
    });
    const record = committed(await story.untilEnd());
    expect(record.groups).toBe(1);
    expect(record.reported).toBe(8);
    expectClose(
      await change(story, record),
      meanDelta(story.clients.filter((client) => groupOf(client) === 1)),
    );
  });

  it('takes no more than the planned cohort: who is ready later is told', async () => {
    const config = taskConfig({ cohort: { planned: 6, smallest: 4, largestGroup: 16, overselection: 1.3 } });
    const story = await openStory({ count: 8, config });
    await story.gather();
    const record = committed(await story.untilEnd());
    await story.settle();
    expect(record).toMatchObject({ selected: 8, cohort: 6, reported: 6 });
    expect(
      story.clients.filter(({ heard }) =>
        heard.some((message) => message.type === 'outcome' && message.outcome === 'not-included'),
      ),
    ).toHaveLength(2);
  });

  it('measures everybody through a secure sum', async () => {
    const story = await openStory({ count: 8 });
    await story.gather();
    committed(await story.untilEnd());
    const evaluation = story.coordination.evaluate('films');
    await story.gather();
    await story.untilEnd();
    expect(await evaluation).toMatchObject({ reported: 8, metrics: { evaluated: 8 } });
  });
});

describe('the coordinator', () => {
  it('refuses what does not belong, by name, and goes on', async () => {
    const story = await openStory({ count: 8 });
    const [client] = story.clients as [StoryClient];
    const bundle = new Uint8Array(0);
    expect(refusalOf(await story.coordination.handle(client.id, { type: 'check-in' }))).toBe('not-greeted');
    await story.gather();
    expect(
      refusalOf(await story.coordination.handle(client.id, { type: 'advertise-keys', attempt: 99, bundle })),
    ).toBe('unknown-attempt');
    expect(
      refusalOf(await story.coordination.handle(client.id, { type: 'advertise-keys', attempt: 1, bundle })),
    ).toBe('malformed');
    expect(
      refusalOf(
        await story.coordination.handle(client.id, { type: 'share-keys', attempt: 1, shares: bundle }),
      ),
    ).toBe('wrong-phase');
    expect(
      refusalOf(await story.coordination.handle(client.id, { type: 'unmask', attempt: 1, shares: bundle })),
    ).toBe('wrong-phase');
    const frame = {
      type: 'masked-input',
      attempt: 1,
      index: 0,
      count: 1,
      totalBytes: 4,
      bytes: new Uint8Array(4),
    } as const;
    expect(refusalOf(await story.coordination.handle(client.id, frame))).toBe('wrong-phase');
    committed(await story.untilEnd());
    expect(refusalOf(await story.coordination.handle(client.id, frame))).toBe('unknown-attempt');
  });

  it('restarts at any point of a round: the open attempt ends as coordinator-restarted, and nothing is lost or doubled', async () => {
    for (let settled = 0; settled < 6; settled++) {
      const config = taskConfig({ rounds: 2 });
      const first = await openStory({ count: 8, config });
      await first.gather();
      committed(await first.untilEnd());
      await first.gather();
      const [client] = first.clients as [StoryClient];
      client.silentFrom = (
        ['describe', 'roster', 'relay-shares', 'survivors', 'outcome', 'challenge'] as const
      )[settled] as Silence;
      await first.settle();
      const done = first.coordination.rounds('films').length;
      // The process is gone here: a new one opens on the same store.
      const second = await openStory({ count: 8, config, store: first.store, blobs: first.blobs });
      expect(second.coordination.rounds('films')).toHaveLength(done);
      // Whoever listens hears what became of the attempt, until clients are there.
      const restarted = { type: 'aborted', reason: 'coordinator-restarted', record: { round: 2 } };
      expect(second.events).toMatchObject(done < 2 ? [restarted] : []);
      if (done < 2) {
        await second.gather();
        const record = committed(await second.untilEnd());
        expect(record.round).toBe(2);
        expect(record.attempt).toBeGreaterThan(2);
      }
      const rounds = second.coordination.rounds('films');
      expect(rounds.map(({ round }) => round)).toEqual([1, 2]);
      expect(rounds[1]?.previousModelHash).toBe(rounds[0]?.modelHash);
    }
  });
});

describe('a device', () => {
  it.each<[string, (message: never) => never, string]>([
    [
      'another model',
      ((message: { description: object }) => ({
        ...message,
        description: { ...message.description, modelHash: 'ab'.repeat(32) },
      })) as never,
      'bad-signature',
    ],
    [
      'another clip',
      ((message: { description: object }) => ({
        ...message,
        description: { ...message.description, clippingNorm: 9 },
      })) as never,
      'bad-signature',
    ],
    [
      'a forged signature',
      ((message: object) => ({ ...message, signature: new Uint8Array(64) })) as never,
      'bad-signature',
    ],
  ])('declines a description with %s', async (_name, forge, reason) => {
    const story = await openStory({
      count: 8,
      alter: (client, message) =>
        client === 3 && message.type === 'describe' ? forge(message as never) : message,
    });
    await story.gather();
    const record = committed(await story.untilEnd());
    expect(story.clients[3]?.declined).toEqual([reason]);
    expect(record.declined).toEqual({ [reason]: 1 });
    expect(record.reported).toBe(7);
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['a bit of its roster flipped', (bytes) => bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte))],
    ['a member missing', (bytes) => bytes.slice(0, bytes.length - bytes.length / 8)],
  ])('declines a roster that the coordinator did not sign: %s', async (_name, change) => {
    const story = await openStory({
      count: 8,
      alter: (client, message) =>
        client === 0 && message.type === 'roster'
          ? { ...message, bundles: change(message.bundles) }
          : message,
    });
    await story.gather();
    const record = committed(await story.untilEnd());
    expect(story.clients[0]?.declined).toEqual(['bad-signature']);
    expect(record.reported).toBe(7);
  });

  it.each([
    ['cohort-too-small', { smallestCohort: 32 }],
    ['clip-too-large', { largestClippingNorm: 0.5 }],
    ['noise-too-weak', { leastNoiseMultiplier: 0.1 }],
  ] as const)('declines by its own policy: %s', async (reason, policy) => {
    const story = await openStory({ count: 8, policy });
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'too-few-ready' });
    expect(story.clients.map(({ declined }) => declined)).toEqual(Array.from({ length: 8 }, () => [reason]));
  });

  it('begins attempts that everybody declines ever further apart, and the one that is asked for at once', async () => {
    const story = await openStory({ count: 8, policy: { smallestCohort: 32 } });
    const endedAt: number[] = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      await story.gather();
      expect(await story.untilEnd()).toMatchObject({
        record: { attempt, declined: { 'cohort-too-small': 8 } },
        againAfterMs: 1_000 * 2 ** (attempt - 1),
      });
      endedAt.push(story.clock.now());
    }
    const gaps = endedAt.slice(1).map((at, i) => at - (endedAt[i] as number));
    expect(gaps).toEqual([1_000, 2_000, 4_000]);
    await story.gather();
    await story.coordination.setRun('films', 'paused', 'operator');
    await story.coordination.setRun('films', 'running', 'operator');
    expect(await story.untilEnd()).toMatchObject({ record: { attempt: 5 } });
    expect(story.clock.now()).toBe(endedAt[3]);
  });

  it('declines an attempt without masks unless it was told otherwise', async () => {
    const story = await openStory({
      count: 8,
      config: taskConfig({ protection: 'plain' }),
      policy: { allowPlain: false },
    });
    await story.gather();
    await story.untilEnd();
    expect(story.clients[0]?.declined).toEqual(['plain-refused']);
  });

  it('says the same again to a repeated message, and nothing to a replayed description', async () => {
    const story = await openStory({ count: 8 });
    await story.gather();
    const [client] = story.clients as [StoryClient];
    committed(await story.untilEnd());
    const described = client.heard.find(({ type }) => type === 'describe');
    expect(await client.device.handle(described as never)).toEqual([
      { type: 'decline', attempt: 1, reason: 'stale-description' },
    ]);
    const survivors = client.heard.find(({ type }) => type === 'survivors');
    expect(await client.device.handle(survivors as never)).toEqual([]);
  });

  it('answers one list of survivors: another one after it gets the same answer again, or after a restart none', async () => {
    const story = await openStory({ count: 8 });
    const [client] = story.clients as [StoryClient];
    (story.clients[7] as StoryClient).silentFrom = 'survivors';
    await story.gather();
    await story.settle();
    const survivors = client.heard.find((message) => message.type === 'survivors');
    if (survivors === undefined) throw new Error('nobody survived');
    const first = await client.device.handle(survivors);
    expect(first).toMatchObject([{ type: 'unmask' }]);
    expect(await client.device.handle(withOneLess(story, client, survivors))).toEqual(first);
    // After a restart the shares are gone with the memory that held them, and the store says that it answered.
    client.device = story.restart(client);
    expect(await client.device.handle(withOneLess(story, client, survivors))).toEqual([]);
    expect([...((await client.store.get('unmask-answered')) ?? [])]).toEqual([1, 0, 0, 0]);
    expect(await client.device.handle(client.heard.find(({ type }) => type === 'describe') as never)).toEqual(
      [{ type: 'decline', attempt: 1, reason: 'stale-description' }],
    );
  });
});
