import { keepLocal, seededRandom } from '@tutti/base';
import type { DeviceOptions } from '@tutti/client';
import { comparing } from '@tutti/client/sdk';
import {
  memoryBlobs,
  memoryStore,
  type CoordinationEvent,
  type Judgement,
  type PromotionPolicy,
  type SignedManifest,
  type Store,
  type TaskConfig,
} from '@tutti/coordination';
import { openTrainingEngine } from '@tutti/engine-simd';
import type { LoadedModel } from '@tutti/model';
import { clientIdOf, type ClientId } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { fixedModel, ITEMS, openStory, taskConfig, type Story } from './federation.ts';

/** Candidates that are judged by a part of the devices, and what becomes of them. */

const PEOPLE = 40;

const policy = (over: Partial<PromotionPolicy> = {}): PromotionPolicy => ({
  ...{ every: 1, canaryShare: 0.3, metric: 'hr@10', margin: 0.1, confidence: 0.9 },
  ...{ minClients: 8, maxRounds: 3, undecided: 'rollback', ...over },
});

const config = (over: Partial<PromotionPolicy> = {}, task: Partial<TaskConfig> = {}): TaskConfig =>
  taskConfig({ rounds: 2, promotion: policy(over), ...task });

/** A model under which the held-out item is the first of all, or behind all others. */
const ranking = (isHit: boolean): LoadedModel => ({
  ...fixedModel(new Float32Array(0)),
  score: async (_, items) =>
    keepLocal(Float32Array.from(items ?? [], (__, at) => (at === 0 ? (isHit ? 1 : -1) : 0))),
});

/** Whose held-out item a model finds, by the number of the person. */
interface Finds {
  readonly candidate: (person: number) => boolean;
  readonly incumbent: (person: number) => boolean;
}

const numbers = new Map<ClientId, number>();
const personOf = (id: ClientId): number => {
  if (!numbers.has(id)) numbers.set(id, numbers.size);
  return numbers.get(id) as number;
};

/** Devices that have both models, and remember of which promotions they compared them. */
function devices(finds: Finds, asked: { id: ClientId; sequence: number }[] = []) {
  return (id: ClientId): Partial<DeviceOptions> => ({
    data: async () => ({
      positives: keepLocal(Int32Array.of(1, 2)),
      heldOut: keepLocal({ item: 3, candidates: Int32Array.from({ length: ITEMS }, (_, item) => item) }),
    }),
    channels: {
      compare: comparing(async (sequence) => {
        asked.push({ id, sequence });
        const person = personOf(id);
        return {
          candidate: ranking(finds.candidate(person)),
          incumbent: ranking(finds.incumbent(person)),
        };
      }),
    },
  });
}

/** Lets everybody come and go until nothing begins any more. */
async function live(story: Story): Promise<readonly CoordinationEvent[]> {
  for (let quiet = 0; quiet < 3; quiet++) {
    const before = story.events.length;
    await story.gather();
    await story.settle();
    story.clock.advanceToNext();
    await story.settle();
    if (story.events.length > before) quiet = 0;
  }
  return story.events;
}

/** What a coordinator that was killed after the first look finds: its journal until then. */
async function afterFirstLook(story: Story): Promise<Store> {
  const journal = await story.store.readJournal('films');
  const first = journal.findIndex((entry) => entry.type === 'compared');
  const store = memoryStore();
  await store.appendJournal('films', 0, journal.slice(0, first + 1));
  return store;
}

const judgements = (events: readonly CoordinationEvent[]): (Judgement & { type: string })[] =>
  events.flatMap((event) => (event.type === 'model-judged' ? [event] : []));

const promotions = (events: readonly CoordinationEvent[]): string[][] =>
  events.flatMap((event) => (event.type === 'model-promoted' ? [[event.channel, event.step, event.by]] : []));

const onChannels = async (story: Story): Promise<Record<string, number | null>> => {
  const registry = story.coordination.registry('films')!;
  const round = async (channel: 'canary' | 'stable'): Promise<number | null> =>
    (await registry.current(channel))?.manifest?.round ?? null;
  return { canary: await round('canary'), stable: await round('stable') };
};

const better: Finds = { candidate: () => true, incumbent: (person) => person % 2 === 0 };
const broken: Finds = { candidate: (person) => person % 4 === 0, incumbent: () => true };
/** As many gained as lost. */
const alike: Finds = { candidate: (person) => person % 2 === 0, incumbent: (person) => person % 2 === 1 };

describe('a candidate', () => {
  it('is promoted where people are surely no worse off; the first one has nothing to be judged against', async () => {
    const asked: { id: ClientId; sequence: number }[] = [];
    const story = await openStory({ count: PEOPLE, config: config(), device: devices(better, asked) });
    const events = await live(story);
    expect(promotions(events)).toEqual([
      ['stable', 'promote', 'policy'],
      ['canary', 'promote', 'policy'],
      ['stable', 'promote', 'policy'],
    ]);
    const [judged] = judgements(events);
    expect(judged).toMatchObject({ verdict: 'promote', metric: 'hr@10', sequence: 2 });
    expect(judged!.low).toBeGreaterThan(-0.1);
    expect(await onChannels(story)).toEqual({ canary: 2, stable: 2 });
    // The journal says who did it, and the model how it came there.
    const found = (await story.coordination.registry('films')!.find('2')) as SignedManifest;
    expect(found.judged).toMatchObject({ verdict: 'promote', people: judged!.people });
    // A part of the devices was asked, and those alone know so: each once, and of this promotion.
    expect(asked.length).toBe(judged!.people);
    expect(asked.length).toBeLessThan(PEOPLE);
    expect(new Set(asked.map(({ id }) => id)).size).toBe(asked.length);
    expect(new Set(asked.map(({ sequence }) => sequence))).toEqual(new Set([2]));
  });

  it('is rolled back where they are surely worse off', async () => {
    const story = await openStory({ count: PEOPLE, config: config(), device: devices(broken) });
    const events = await live(story);
    expect(judgements(events)).toMatchObject([{ verdict: 'rollback' }]);
    expect(judgements(events)[0]!.high).toBeLessThan(-0.1);
    expect(await onChannels(story)).toEqual({ canary: null, stable: 1 });
  });

  it.each([
    ['rollback', { canary: null, stable: 1 }],
    ['promote', { canary: 2, stable: 2 }],
  ] as const)(
    'of which the last look says nothing meets what the policy says: %s',
    async (undecided, after) => {
      const asked: { id: ClientId; sequence: number }[] = [];
      const story = await openStory({
        ...{ count: PEOPLE, config: config({ undecided }), device: devices(alike, asked) },
      });
      const events = await live(story);
      expect(judgements(events)).toMatchObject([{ verdict: 'undecided', looks: 3 }]);
      expect(await onChannels(story)).toEqual(after);
      // Three looks, and nobody was asked twice.
      expect(new Set(asked.map(({ id }) => id)).size).toBe(asked.length);
    },
  );

  it('is judged by NDCG with the squares of the differences', async () => {
    const story = await openStory({
      ...{ count: PEOPLE, config: config({ metric: 'ndcg@10' }), device: devices(better) },
    });
    const events = await live(story);
    const look = events.find((event) => event.type === 'compared');
    const { gained, squared, lost } = look!.record.comparison;
    // First place or none: d is 1 or 0 here too.
    expect([gained, lost]).toEqual([squared, 0]);
    expect(judgements(events)).toMatchObject([{ verdict: 'promote', metric: 'ndcg@10' }]);
  });

  it('is left alone once an operator puts something else on a channel', async () => {
    const before = await openStory({ count: PEOPLE, config: config(), device: devices(alike) });
    await live(before);
    const { blobs } = before;
    const parts = { count: PEOPLE, config: config(), blobs, device: devices(alike) };
    const story = await openStory({ ...parts, store: await afterFirstLook(before) });
    await story.coordination.registry('films')!.change({ channel: 'stable', model: '2', by: 'ada' });
    const events = await live(story);
    expect(events.filter(({ type }) => type === 'compared' || type === 'model-judged')).toEqual([]);
    expect(await onChannels(story)).toEqual({ canary: 2, stable: 2 });
  });

  it('that too few of those who are asked come together for makes room for the next one', async () => {
    const task = config({ every: 2, canaryShare: 0.01 }, { rounds: 8 });
    const story = await openStory({ count: PEOPLE, config: task, device: devices(better) });
    const events = await live(story);
    // Rounds 4 and 6 had no look until the next was due; that of round 8 waits.
    expect(judgements(events)).toMatchObject([
      { verdict: 'undecided', looks: 0, sequence: 2 },
      { verdict: 'undecided', looks: 0, sequence: 4 },
    ]);
    expect(await onChannels(story)).toEqual({ canary: 8, stable: 2 });
  });

  it('is judged by those who can: devices without channels add nothing, and are counted nowhere', async () => {
    const withModels = devices(better);
    const story = await openStory({
      ...{ count: PEOPLE, config: config({ minClients: 1 }) },
      device: (id) => (personOf(id) % 2 === 0 ? withModels(id) : {}),
    });
    const events = await live(story);
    const look = events.find((event) => event.type === 'compared');
    expect(look!.record.comparison.people).toBeLessThan(look!.record.reported);
  });
});

describe('a candidate whose rows are shuffled, as each device finds it with the real engine', () => {
  const { model } = taskConfig();
  const width = model.layout.length / ITEMS;
  /** Two tastes: items of one lie opposite those of the other. */
  const trained = Float32Array.from({ length: model.layout.length }, (_, at) =>
    at % width > 0 ? 0 : at < model.layout.length / 2 ? 1 : -1,
  );
  const random = seededRandom('shuffled');
  const rows = Array.from({ length: ITEMS }, (_, row) => ({ row, key: random.normal() }))
    .sort((a, b) => a.key - b.key)
    .map(({ row }) => row);
  const shuffled = Float32Array.from(trained, (_, at) => {
    const row = rows[Math.floor(at / width)] as number;
    return trained[row * width + (at % width)] as number;
  });

  it.each([
    ['is rolled back', shuffled, trained, 'rollback'],
    ['is what another one is promoted over', trained, shuffled, 'promote'],
  ] as const)('%s', async (_, candidate, incumbent, verdict) => {
    const engine = await openTrainingEngine({ model, engine: 'ts' });
    const models = { candidate: await engine.load(candidate), incumbent: await engine.load(incumbent) };
    const story = await openStory({
      ...{ count: PEOPLE, config: config({ metric: 'ndcg@10', margin: 0.05 }) },
      device: (id) => {
        const [taste, item] = [personOf(id) % 2, personOf(id) % (ITEMS / 2)];
        const own = (more: number): number => (taste * ITEMS) / 2 + ((item + more) % (ITEMS / 2));
        return {
          data: async () => ({
            positives: keepLocal(Int32Array.of(own(1), own(2))),
            heldOut: keepLocal({
              item: own(0),
              candidates: Int32Array.from({ length: ITEMS }, (__, i) => i),
            }),
          }),
          channels: { compare: comparing(async () => models) },
        };
      },
    });
    expect(judgements(await live(story))).toMatchObject([{ verdict, metric: 'ndcg@10' }]);
    for (const loaded of Object.values(models)) loaded.dispose();
  });
});

describe('what happens meanwhile', () => {
  it('a restart between two looks keeps the sums, and asks nobody again', async () => {
    const asked: { id: ClientId; sequence: number }[] = [];
    const parts = { count: PEOPLE, config: config(), blobs: memoryBlobs(nodeCrypto) };
    const before = await openStory({ ...parts, device: devices(alike, asked) });
    const whole = judgements(await live(before))[0]!;
    const look = before.events.find((event) => event.type === 'compared');
    const first = asked.slice(0, look!.record.comparison.people);
    const again: typeof asked = [];
    const store = await afterFirstLook(before);
    const after = await openStory({ ...parts, store, device: devices(alike, again) });
    expect(judgements(await live(after))).toMatchObject([{ ...whole, people: first.length + again.length }]);
    expect(again.length).toBeGreaterThan(0);
    expect(new Set([...first, ...again].map(({ id }) => id)).size).toBe(first.length + again.length);
  });

  it('a crash between the last look and its verdict: the verdict comes at the start', async () => {
    const once = { maxRounds: 1 };
    const before = await openStory({ count: PEOPLE, config: config(once), device: devices(alike) });
    await live(before);
    const store = await afterFirstLook(before);
    const { blobs } = before;
    const after = await openStory({ count: PEOPLE, config: config(once), store, blobs });
    expect(await onChannels(after)).toEqual({ canary: null, stable: 1 });
    // And not once more at the next start.
    const length = (await store.readJournal('films')).length;
    await openStory({ count: PEOPLE, config: config(once), store, blobs });
    expect(await store.readJournal('films')).toHaveLength(length);
  });

  it('a device that lies within its lanes moves the sums by one person; sums that nobody could give count for none', async () => {
    const liar = (compare: Record<string, number>) => (id: ClientId) => ({
      ...devices(broken)(id),
      ...(id === firstOf(0) ? { channels: { compare: async () => compare } } : {}),
    });
    const asLane = (what: string): string => `hr10-${what}-2`;
    const honest = await judgedWith(devices(broken));
    const lied = await judgedWith(liar({ [asLane('compared')]: 1, [asLane('gained')]: 1 }));
    expect(Math.abs(lied.difference - honest.difference)).toBeLessThanOrEqual(2 / (honest.people + 2));
    // Everybody lies with a gain and no person: more is gained than people compared.
    const impossible = await judgedWith(() => ({
      channels: { compare: async () => ({ [asLane('gained')]: 1 }) },
    }));
    expect(impossible).toMatchObject({ verdict: 'undecided', people: 0 });
  });

  it('a look that ends without its sum is taken again, and a round goes before it', async () => {
    let isFailing = true;
    const withModels = devices(better);
    const story: Story = await openStory({
      ...{ count: PEOPLE, config: config({ every: 2 }, { rounds: 5 }) },
      device: (id) => ({
        ...withModels(id),
        channels: {
          async compare(...args) {
            const models = await withModels(id).channels!.compare(...args);
            if (models !== undefined && isFailing) throw new Error('no memory');
            return models;
          },
        },
      }),
    });
    story.coordination.subscribe(({ type }) => void (isFailing &&= type !== 'aborted'));
    const events = await live(story);
    const happened = events.flatMap((event) =>
      event.type === 'committed'
        ? [String(event.record.round)]
        : event.type.startsWith('model')
          ? []
          : [event.type],
    );
    expect(happened.slice(0, 7)).toEqual(['1', '2', '3', '4', 'aborted', '5', 'finished']);
    expect(happened).toContain('compared');
    expect(judgements(events)).toMatchObject([{ verdict: 'promote' }]);
  });
});

describe('where ε is counted', () => {
  const open = async (over: Partial<PromotionPolicy>, epsilonBudget?: number, rounds = 2): Promise<Story> => {
    const accounting = { dpDelta: 1e-5, ...(epsilonBudget === undefined ? {} : { epsilonBudget }) };
    // Everybody has to survive, so that a round costs what was thought before.
    const cohort = { planned: 8, smallest: 8, largestGroup: 16, overselection: 1 };
    const noise = { multiplier: 2, metricMultiplier: 0.5, survivorShare: 1, accounting };
    return openStory({
      ...{ count: PEOPLE, config: config(over, { noise, rounds, cohort }), device: devices(better) },
      policy: { epsilonBudget: Number.POSITIVE_INFINITY },
    });
  };
  const spentOnRounds = (story: Story): number =>
    story.coordination.rounds('films').at(-1)!.epsilon!.coordinator!;

  it('a look costs a part of the budget, and its noise is in the interval', async () => {
    const story = await open({ minClients: 1 });
    const look = (await live(story)).find((event) => event.type === 'compared');
    expect(story.coordination.status('films')!.epsilon!.coordinator).toBeGreaterThan(spentOnRounds(story));
    // z = ½ over a person's three lanes, each within 1: a variance of ¼ on each sum at least.
    expect(look!.record.comparison.noise).toBeGreaterThan(0.25);
  });

  it('a look that the budget has no room for ends the trial, and nothing else', async () => {
    const rich = await open({});
    await live(rich);
    const poor = await open({}, spentOnRounds(rich) * 1.001);
    expect(judgements(await live(poor))).toMatchObject([{ verdict: 'undecided', looks: 0 }]);
    expect(await onChannels(poor)).toEqual({ canary: null, stable: 1 });
    expect(poor.coordination.status('films')).toMatchObject({ round: 2, phase: 'finished' });
  });

  it('a budget that has no room for a round ends the trial with the task', async () => {
    const rich = await open({ canaryShare: 0.01 });
    await live(rich);
    const poor = await open({ canaryShare: 0.01 }, spentOnRounds(rich) * 1.001, 3);
    expect(judgements(await live(poor))).toMatchObject([{ verdict: 'undecided', looks: 0 }]);
    expect(poor.coordination.status('films')).toMatchObject({ round: 2, phase: 'budget-spent' });
  });
});

/** The person of a number, among those of every story. */
const firstOf = (number: number): ClientId =>
  clientIdOf(
    nodeCrypto.signKeyPairFromSeed(
      nodeCrypto.digest('story client', new TextEncoder().encode(String(number))),
    ).publicKey,
    nodeCrypto,
  );

async function judgedWith(device: (id: ClientId) => Partial<DeviceOptions>): Promise<Judgement> {
  const story = await openStory({
    ...{ count: PEOPLE, config: config({ canaryShare: 1, maxRounds: 1 }), device },
  });
  return judgements(await live(story))[0]!;
}
