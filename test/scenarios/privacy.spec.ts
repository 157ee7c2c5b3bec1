import { memoryBlobs, memoryStore, type CoordinationEvent, type TaskConfig } from '@tutti/coordination';
import { decodeCheckpoint } from '@tutti/model';
import { bandedCoefficients, nextClippingNorm } from '@tutti/privacy';
import { phaseDigest, roundDigest, type RoundDescription } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { COORDINATOR_KEY, meanDelta, openStory, taskConfig, type Story } from './federation.ts';

/** What privacy costs and who counts it, told as stories: real engines, manual clock, restarts between rounds. */

const accounting = { dpDelta: 1e-5 };
const durable = () => ({ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) });

async function play(story: Story, rounds = 1): Promise<CoordinationEvent[]> {
  const ended: CoordinationEvent[] = [];
  for (let round = 0; round < rounds; round++) {
    await story.gather();
    ended.push(await story.untilEnd());
  }
  return ended;
}

const privacyOf = (story: Story, client = 0) => story.clients[client]?.device.privacy();

const committed = (story: Story) => story.coordination.rounds('films');

describe('an adaptive clipping norm', () => {
  const config = (over: Partial<TaskConfig> = {}) =>
    taskConfig({
      rounds: 6,
      clippingNorm: 4,
      adaptiveClipping: { quantile: 0.5, learningRate: 0.2 },
      ...over,
    });

  const norms = (story: Story) =>
    story.clients[0]?.heard.flatMap((message) =>
      message.type === 'describe' ? [message.description.clippingNorm] : [],
    );

  it('follows the quantile of the updates, without noise exactly, and every device is told the next one', async () => {
    const story = await openStory({ count: 8, config: config() });
    await play(story, 4);
    // All deltas are far shorter than 4: nobody is clipped, and each round shrinks C by exp(−0.1).
    const expected = [4];
    for (let round = 1; round < 4; round++)
      expected.push(nextClippingNorm(expected[round - 1] as number, 1, { quantile: 0.5, learningRate: 0.2 }));
    expect(norms(story)).toEqual(expected);
    expect(committed(story).map(({ clippedShare }) => clippedShare)).toEqual([0, 0, 0, 0]);
  });

  it('is the same after a restart between any two rounds', async () => {
    const one = durable();
    const whole = await openStory({ count: 8, config: config(), ...one });
    await play(whole, 4);
    const two = durable();
    const heard: number[] = [];
    for (let round = 0; round < 4; round++) {
      const story = await openStory({ count: 8, config: config(), ...two });
      await play(story);
      heard.push(...(norms(story) ?? []));
    }
    expect(heard).toEqual(norms(whole));
  });

  it('carries noise of its own where ε is counted, and both ε’s count it', async () => {
    const noise = { multiplier: 0.5, metricMultiplier: 0, accounting };
    const story = await openStory({ count: 8, config: config({ noise, metrics: false }) });
    const [ended] = await play(story);
    expect(ended).toMatchObject({ type: 'committed', record: { epsilon: {} } });
    const journal = await story.store.readJournal('films');
    const release = journal.flatMap((entry) => (entry.type === 'round-committed' ? [entry.release] : []))[0];
    expect(release?.parts.map(({ lanes }) => lanes)).toEqual(['delta', 'clip']);
  });
});

describe('an attempt that ends while masks are removed', () => {
  const config = taskConfig({ metrics: false, noise: { multiplier: 1, metricMultiplier: 0, accounting } });
  const spentBy = (story: Story) => story.coordination.status('films')?.epsilon?.coordinator;

  async function stalled(silent: number, ports: Partial<ReturnType<typeof durable>> = {}): Promise<Story> {
    const story = await openStory({ count: 8, config, ...ports });
    for (const client of story.clients.slice(0, silent)) client.silentFrom = 'survivors';
    await story.gather();
    await story.settle();
    expect(story.coordination.status('films')?.phase).toBe('unmask');
    expect(spentBy(story)).toBe(0);
    return story;
  }

  it('costs nothing where too few answered to remove any', async () => {
    const story = await stalled(4);
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'too-few-unmask-shares' });
    expect(spentBy(story)).toBe(0);
  });

  it('costs what a round does where enough had answered: the coordinator could see the sum', async () => {
    const story = await stalled(3);
    const one = await openStory({ count: 8, config });
    await play(one);
    await story.coordination.close();
    expect(story.events).toContainEqual(expect.objectContaining({ type: 'aborted', reason: 'task-stopped' }));
    expect(spentBy(story)).toBe(spentBy(one));
    expect(spentBy(one)).toBeGreaterThan(0);
  });

  it('costs as much after a crash, when nobody knows how many had answered', async () => {
    const ports = durable();
    await stalled(4, ports);
    const again = await openStory({ count: 8, config, ...ports });
    const spent = spentBy(again) as number;
    expect(spent).toBeGreaterThan(0);
    // Counted once, however often it restarts, and the next round comes on top.
    const third = await openStory({ count: 8, config, ...ports });
    expect(spentBy(third)).toBe(spent);
    await play(third);
    expect(spentBy(third)).toBeGreaterThan(spent);
  });
});

describe('noise that the coordinator adds', () => {
  const noisy = (over: Partial<TaskConfig['noise']> = {}) =>
    taskConfig({
      rounds: 8,
      metrics: false,
      noise: { multiplier: 0.1, metricMultiplier: 0, accounting, mechanism: { name: 'gaussian' }, ...over },
    });

  it('is refused by devices that do not trust it to, by name', async () => {
    const story = await openStory({ count: 8, config: noisy() });
    const [ended] = await play(story);
    expect(ended).toMatchObject({ type: 'aborted', record: { declined: { 'central-noise-refused': 8 } } });
  });

  it('is on the model and in the ledger; nothing holds against the coordinator itself', async () => {
    const story = await openStory({ count: 8, config: noisy(), policy: { trustCoordinatorNoise: true } });
    const [ended] = await play(story);
    expect(ended).toMatchObject({ type: 'committed', record: { epsilon: { coordinator: null } } });
    expect(story.coordination.status('films')?.epsilon?.readers).toBeGreaterThan(0);
    const spread = await noiseOfModel(story, 1);
    // 48 lanes of deviation .1/8: within a factor of 2 but for a chance below 1e-9.
    expect(spread).toBeGreaterThan(0.1 / 16);
    expect(spread).toBeLessThan(0.1 / 4);
  });

  it('stops the task at the readers’ budget', async () => {
    const config = noisy({ multiplier: 4, accounting: { ...accounting, epsilonBudget: 1.6 } });
    const [parts, policy] = [durable(), { trustCoordinatorNoise: true }];
    const story = await openStory({ count: 8, config, policy, ...parts });
    for (let round = 0; round < 8 && !story.events.some(({ type }) => type === 'finished'); round++) {
      await story.gather();
      if (!story.events.some(({ type }) => type === 'finished')) await story.untilEnd();
    }
    expect(story.events.at(-1)).toMatchObject({ type: 'finished', reason: 'privacy-budget-spent' });
    expect(committed(story).length).toBeGreaterThan(0);
    expect(story.coordination.status('films')?.epsilon?.readers).toBeLessThanOrEqual(1.6);
    expect(story.coordination.status('films')?.phase).toBe('budget-spent');
    // It says so at once when it comes back, before anyone asks; and with a larger budget it goes on.
    const again = await openStory({ count: 8, config, policy, ...parts });
    expect(again.coordination.status('films')?.phase).toBe('budget-spent');
    const larger = noisy({ multiplier: 4, accounting: { ...accounting, epsilonBudget: 3 } });
    const further = await openStory({ count: 8, config: larger, policy, ...parts });
    expect((await play(further))[0]).toMatchObject({ type: 'committed' });
  });

  it.each([
    { name: 'tree', steps: 8 } as const,
    { name: 'banded', steps: 8, coefficients: bandedCoefficients(8, { most: 1, separation: 8 }) } as const,
  ])(
    'correlated, survives a restart between any two rounds: what one round added the next ones take back ($name)',
    async (mechanism) => {
      const participation = { most: 8, separation: 1 };
      const config = noisy({ mechanism, participation, multiplier: 1 });
      const parts = durable();
      const policy = { trustCoordinatorNoise: true };
      let story = await openStory({ count: 8, config, policy, ...parts });
      for (let round = 1; round <= 8; round++) {
        if (round > 1) story = await openStory({ count: 8, config, policy, ...parts });
        await play(story);
      }
      expect(committed(story)).toHaveLength(8);
      // Independent noise of 8 rounds has deviation √8/8 in the sum; a tree of 8 leaves one node, the matrix about 1.3 draws.
      const spread = await noiseOfModel(story, 8);
      expect(spread).toBeLessThan((0.75 * Math.sqrt(8)) / 8);
      expect(spread).toBeGreaterThan(0.5 / 8);
    },
  );

  it('correlated, cannot be changed for a task that has begun', async () => {
    const parts = durable();
    const mechanism = { name: 'tree', steps: 8 } as const;
    await play(
      await openStory({
        count: 8,
        config: noisy({ mechanism }),
        policy: { trustCoordinatorNoise: true },
        ...parts,
      }),
    );
    await expect(
      openStory({ count: 8, config: noisy({ mechanism, multiplier: 2 }), ...parts }),
    ).rejects.toThrow('cannot change');
    await expect(openStory({ count: 8, config: noisy(), ...parts })).rejects.toThrow('cannot change');
  });
});

/** Standard deviation over the lanes of what `rounds` rounds put on the model beside the devices’ deltas. */
async function noiseOfModel(story: Story, rounds: number): Promise<number> {
  const { layout } = taskConfig().model;
  const journal = await story.store.readJournal('films');
  const created = journal.find((entry) => entry.type === 'task-created');
  const last = story.coordination.rounds('films').at(-1);
  const model = async (hash: string | undefined) =>
    decodeCheckpoint(await story.blobs.get(hash ?? ''), layout).shared;
  const [first, now] = [await firstModel(story, created?.modelHash), await model(last?.modelHash)];
  const mean = meanDelta(story.clients);
  const noise = now.map((value, lane) => value - (first[lane] as number) - rounds * (mean[lane] as number));
  return Math.sqrt(noise.reduce((sum, value) => sum + value * value, 0) / noise.length);
}

/** The first model: kept, or made again from the task's seed by another story. */
async function firstModel(story: Story, hash: string | undefined): Promise<Float32Array> {
  const kept = await story.blobs.get(hash ?? '');
  const fresh = kept === undefined ? await openStory({ count: 1 }) : undefined;
  const bytes = kept ?? (await fresh?.blobs.get(fresh.coordination.taskInfo('films')?.modelHash ?? ''));
  return decodeCheckpoint(bytes, taskConfig().model.layout).shared;
}

describe('a device’s own ledger', () => {
  const noise = { multiplier: 2, metricMultiplier: 0, accounting };
  const config = taskConfig({ rounds: 9, metrics: false, noise });

  it('counts what it took part in as the coordinator’s does, and tells both ε’s and its own noise’s', async () => {
    const story = await openStory({ count: 8, config });
    await play(story, 3);
    const own = await privacyOf(story);
    expect(own).toMatchObject({
      participations: 3,
      dpDelta: 1e-5,
      epsilonBudget: null,
      participationCap: null,
    });
    expect(own?.epsilon).toBeCloseTo(story.coordination.status('films')?.epsilon?.coordinator as number, 9);
    expect(own?.localEpsilon).toBeGreaterThan(own?.epsilon as number);
  });

  it('forgets an attempt that ended before it answered an unmask request: nothing was opened', async () => {
    const story = await openStory({ count: 8, config });
    for (const client of story.clients.slice(0, 6)) client.silentFrom = 'relay-shares';
    expect(await play(story)).toMatchObject([{ type: 'aborted', reason: 'too-few-survivors' }]);
    // Client 7 had sent its input, and counted it before it left.
    expect(await privacyOf(story, 7)).toMatchObject({ participations: 1 });
    await story.settle();
    expect(await privacyOf(story, 7)).toMatchObject({ participations: 0, epsilon: 0 });
    expect(story.coordination.status('films')?.epsilon).toEqual({ coordinator: 0, readers: 0 });
  });

  it('keeps an attempt of which it answered, whatever became of it', async () => {
    const story = await openStory({ count: 8, config });
    for (const client of story.clients.slice(0, 5)) client.silentFrom = 'survivors';
    expect(await play(story)).toMatchObject([{ type: 'aborted', reason: 'too-few-unmask-shares' }]);
    await story.settle();
    expect(await privacyOf(story, 7)).toMatchObject({ participations: 1 });
    expect(await privacyOf(story, 0)).toMatchObject({ participations: 0 });
  });

  it.each(['semi-honest', 'active'] as const)(
    'counts no survivors of a list that it refuses, signed as it is: its update is in the sum all the same (%s)',
    async (mode) => {
      let described: RoundDescription | undefined;
      const story = await openStory({
        count: 8,
        config: taskConfig({ rounds: 9, metrics: false, noise, mode }),
        alter: (client, message) => {
          if (message.type === 'describe') described = message.description;
          if (client !== 7 || message.type !== 'survivors' || described === undefined) return message;
          const survivors = new Uint8Array(128).fill(255);
          const digest = roundDigest(described, nodeCrypto);
          const body = [Uint8Array.of(message.group, 0), survivors];
          const signed = phaseDigest('survivors', digest, body, nodeCrypto);
          return { ...message, survivors, signature: nodeCrypto.sign(signed, COORDINATOR_KEY.secretKey) };
        },
      });
      await play(story);
      expect(story.clients[7]?.declined).toEqual(['malformed']);
      expect(committed(story)).toMatchObject([{ reported: 8 }]);
      // It counts the fewest that there may be, and so at least what the others count.
      const [deceived, other] = [await privacyOf(story, 7), await privacyOf(story, 0)];
      expect(deceived?.epsilon).toBeGreaterThanOrEqual(other?.epsilon as number);
    },
  );

  it.each([
    ['active', 'too-few-survivors', 1],
    ['active', 'coordinator-restarted', 1],
    ['semi-honest', 'coordinator-restarted', 1],
    // A curious coordinator says the truth: a mask is left that nobody can take away.
    ['semi-honest', 'too-few-unmask-shares', 0],
    ['semi-honest', 'too-few-survivors', 0],
  ] as const)(
    'in %s mode, told of an end as %s while others open the sum, counts %d',
    async (mode, reason, parts) => {
      const story = await openStory({
        count: 8,
        config: taskConfig({ rounds: 9, metrics: false, noise, mode }),
        alter: (client, message) =>
          client === 7 && message.type === 'survivors'
            ? { type: 'outcome', outcome: 'aborted', attempt: message.attempt, reason }
            : message,
      });
      await play(story);
      expect(committed(story)).toMatchObject([{ reported: 8 }]);
      expect(await privacyOf(story, 7)).toMatchObject({ participations: parts });
    },
  );

  it('refuses once its own budget is spent, while the task goes on with others', async () => {
    const story = await openStory({ count: 8, config, policy: { participationCap: 2 } });
    await play(story, 2);
    const [ended] = await play(story);
    expect(ended).toMatchObject({ type: 'aborted', record: { declined: { 'privacy-budget-spent': 8 } } });
    expect(story.clients[0]?.declined).toEqual(['privacy-budget-spent']);
    expect(await privacyOf(story)).toMatchObject({ participations: 2, participationCap: 2 });
  });

  it('refuses by ε too: as many rounds as its own accountant allows, and none more', async () => {
    const free = await openStory({ count: 8, config });
    await play(free, 2);
    const two = (await privacyOf(free))?.epsilon as number;
    // Before it takes part it counts the fewest survivors that there may be: what it allows is a little more than it then costs.
    const story = await openStory({ count: 8, config, policy: { epsilonBudget: 1.3 * two } });
    const ended: CoordinationEvent[] = [];
    while (ended.at(-1)?.type !== 'aborted') ended.push(...(await play(story)));
    expect(ended.at(-1)).toMatchObject({ record: { declined: { 'privacy-budget-spent': 8 } } });
    expect(committed(story)).toHaveLength(2);
    expect((await privacyOf(story))?.epsilon).toBeCloseTo(two, 9);
  });
});

describe('a cap on taking part', () => {
  const capped = (most: number, separation: number) =>
    taskConfig({
      rounds: 9,
      metrics: false,
      cohort: { planned: 4, smallest: 4, largestGroup: 16, overselection: 1 },
      noise: { multiplier: 2, metricMultiplier: 0, accounting, participation: { most, separation } },
    });

  it('is kept by the coordinator’s choice, and bounds the ε that it tells', async () => {
    const story = await openStory({ count: 8, config: capped(2, 1) });
    // Four of eight are asked; the other four wait already, and are the next round.
    while (committed(story).length < 4) await play(story);
    expect(committed(story)).toHaveLength(4);
    // 4 rounds of 4 out of 8, nobody more than twice: everybody exactly twice.
    for (let client = 0; client < 8; client++)
      expect(await privacyOf(story, client)).toMatchObject({ participations: 2 });
    const [one, two, three] = committed(story).map(({ epsilon }) => epsilon?.coordinator ?? 0);
    expect(two).toBeGreaterThan(one as number);
    expect(three).toBe(two);
    await story.gather();
    expect(story.coordination.status('films')).toMatchObject({ waiting: 0 });
  });

  it('lets nobody take part twice within the least separation', async () => {
    const story = await openStory({ count: 8, config: capped(9, 2) });
    await play(story, 4);
    const rounds = story.clients.map(({ heard }) =>
      heard.flatMap((message) => (message.type === 'describe' ? [message.description.round] : [])),
    );
    expect(rounds.every((own) => own.length >= 2)).toBe(true);
    for (const own of rounds)
      own.slice(1).forEach((round, i) => expect(round - (own[i] as number)).toBeGreaterThanOrEqual(2));
  });

  it('is kept by the devices where the coordinator forgot who was there: after a restart they refuse', async () => {
    const parts = durable();
    const config = capped(1, 1);
    const first = await openStory({ count: 4, config, ...parts });
    await play(first);
    const again = await openStory({
      count: 4,
      config,
      ...parts,
      clientStores: first.clients.map(({ store }) => store),
    });
    const [ended] = await play(again);
    expect(ended).toMatchObject({ type: 'aborted', record: { declined: { 'privacy-budget-spent': 4 } } });
    expect(await privacyOf(again)).toMatchObject({ participations: 1 });
  });
});

describe('noise that is meant for most of a group', () => {
  const config = taskConfig({
    cohort: { planned: 8, smallest: 8, largestGroup: 16, overselection: 1 },
    noise: { multiplier: 1, metricMultiplier: 0, survivorShare: 0.9 },
  });

  it('ends an attempt that lost more, before anybody opens anything', async () => {
    const story = await openStory({ count: 8, config });
    for (const client of story.clients.slice(0, 1)) client.silentFrom = 'relay-shares';
    expect(await play(story)).toMatchObject([{ type: 'aborted', reason: 'too-few-survivors' }]);
    expect(story.clients[7]?.heard.some(({ type }) => type === 'survivors')).toBe(false);
  });

  it('is not unmasked for fewer by any device, whatever the coordinator says is enough', async () => {
    const story = await openStory({
      count: 8,
      config,
      alter: (_, message) =>
        message.type === 'survivors' ? { ...message, survivors: Uint8Array.of(0b0111_1111) } : message,
    });
    const [ended] = await play(story);
    // The signature no longer fits either: whichever is looked at first, nothing is opened.
    expect(ended).toMatchObject({ type: 'aborted', reason: 'too-few-unmask-shares' });
  });
});

describe('a Poisson sample', () => {
  const config = taskConfig({
    rounds: 3,
    metrics: false,
    protection: 'plain',
    cohort: { planned: 64, smallest: 16, largestGroup: 128, overselection: 1 },
    poisson: { population: 128 },
    noise: { multiplier: 1, metricMultiplier: 0, accounting: { ...accounting, against: 'readers' } },
  });

  it('tells readers less than the coordinator, divides by what is expected, and waits for nobody it did not ask', async () => {
    const story = await openStory({ count: 128, config });
    const [ended] = await play(story);
    if (ended?.type !== 'committed') throw new Error('not committed');
    const { record } = ended;
    expect(record.selected).toBe(record.reported);
    expect(record.epsilon?.readers).toBeLessThan(record.epsilon?.coordinator as number);
    const asked = story.clients.filter(({ heard }) => heard.some(({ type }) => type === 'describe'));
    expect(asked).toHaveLength(record.selected);
    const { shared } = decodeCheckpoint(await story.blobs.get(record.modelHash), config.model.layout);
    const first = await firstModel(story, record.previousModelHash);
    // The mean is over the 64 that are expected, not over those who came. Noise of z = 1 by all who came, meant for two thirds of
    // them: deviation 1.24/64 a lane at most; eight of them.
    const sum = meanDelta(asked).map((value) => (value * asked.length) / 64);
    shared.forEach((value, lane) =>
      expect(Math.abs(value - (first[lane] as number) - (sum[lane] as number))).toBeLessThan((8 * 1.24) / 64),
    );
  });
});
