import type { TaskConfig } from '@tutti/coordination';
import type { ClientMessage, Reply } from '@tutti/protocol';
import { describe, expect, it } from 'vitest';
import {
  change,
  committed,
  expectClose,
  meanDelta,
  openStory,
  taskConfig,
  type Silence,
  type StoryClient,
} from './federation.ts';

/** Every message in every phase, from one who is asked, one who has answered, and one who is not selected. */

const junk = (length: number): Uint8Array => new Uint8Array(length).fill(7);

/** One message of each type, of a right form and with nothing right in it. */
const MESSAGES = {
  'check-in': { type: 'check-in' },
  decline: { type: 'decline', attempt: 1, reason: 'not-eligible' },
  'advertise-keys': { type: 'advertise-keys', attempt: 1, bundle: junk(100) },
  'share-keys': { type: 'share-keys', attempt: 1, shares: junk(100) },
  'reveal-nonce': { type: 'reveal-nonce', attempt: 1, nonce: junk(32) },
  'masked-input': { type: 'masked-input', attempt: 1, index: 1, count: 2, totalBytes: 8, bytes: junk(4) },
  'sign-survivors': { type: 'sign-survivors', attempt: 1, signature: junk(64) },
  unmask: { type: 'unmask', attempt: 1, shares: junk(64) },
} as const satisfies Record<string, ClientMessage>;

type Answers = Partial<Record<keyof typeof MESSAGES, readonly [asked: string, answered: string]>>;

/** A phase, what its message to a client is, and the answers to one who is asked and one who has answered; what is not named is `wrong-phase`. */
type Row = readonly [phase: string, asks: Silence, answers: Answers];

const TRAIN: Row = [
  'train',
  'describe',
  // Who is asked may decline; that is no mistake, and stands in the test below.
  { decline: ['', 'too-late'], 'advertise-keys': ['malformed', 'accepted'] },
];
// What came a second time, because the answer to it was lost, is accepted again and changes nothing.
const SHARE: Row = [
  'share-keys',
  'roster',
  { 'advertise-keys': ['accepted', 'accepted'], 'share-keys': ['malformed', 'accepted'] },
];
const MASK: Row = [
  'masked-input',
  'relay-shares',
  { 'share-keys': ['accepted', 'accepted'], 'masked-input': ['malformed', 'accepted'] },
];
const UNMASK: Row = [
  'unmask',
  'survivors',
  {
    'masked-input': ['accepted', 'accepted'],
    'sign-survivors': ['accepted', 'accepted'],
    unmask: ['malformed', 'accepted'],
  },
];
const SIGN: Row = [
  'survivors',
  'survivors',
  { 'masked-input': ['accepted', 'accepted'], 'sign-survivors': ['bad-signature', 'accepted'] },
];
const UNMASK_SIGNED: Row = [UNMASK[0], 'survivor-signatures', UNMASK[2]];
const REVEAL: Row = [
  'reveal-nonces',
  'roster',
  { 'advertise-keys': ['accepted', 'accepted'], 'reveal-nonce': ['nonce-mismatch', 'accepted'] },
];
const SHARE_SPARSE: Row = [
  'share-keys',
  'nonces',
  {
    'advertise-keys': ['accepted', 'accepted'],
    'reveal-nonce': ['accepted', 'accepted'],
    'share-keys': ['malformed', 'accepted'],
  },
];

/** Twenty clients in one group, sparse because complete graphs end at 16. */
const sparse = (mode: 'semi-honest' | 'active'): TaskConfig =>
  taskConfig({
    mode,
    cohort: { planned: 20, smallest: 10, largestGroup: 128, overselection: 1 },
    graph: { corruptPermille: 50, dropoutPermille: 50, largestComplete: 16 },
  });

const TABLES: readonly [string, TaskConfig, readonly Row[]][] = [
  ['semi-honest, complete graph', taskConfig(), [TRAIN, SHARE, MASK, UNMASK]],
  ['active, complete graph', taskConfig({ mode: 'active' }), [TRAIN, SHARE, MASK, SIGN, UNMASK_SIGNED]],
  ['semi-honest, sparse graph', sparse('semi-honest'), [TRAIN, REVEAL, SHARE_SPARSE, MASK, UNMASK]],
  ['active, sparse graph', sparse('active'), [TRAIN, REVEAL, SHARE_SPARSE, MASK, SIGN, UNMASK_SIGNED]],
];

const answerOf = (reply: Reply): string => (reply.type === 'refused' ? reply.reason : reply.type);

describe.each(TABLES)('every message, %s, in phase', (_, config, rows) => {
  it.each(rows)('%s has its answer, and changes nothing', async (phase, asks, answers) => {
    const { planned } = config.cohort;
    const story = await openStory({ count: planned + 1, config });
    const [silent, asked] = story.clients as [StoryClient, StoryClient];
    silent.silentFrom = asks;
    asked.silentFrom = asks;
    await story.gather();
    await story.settle();
    expect(story.coordination.status('films')?.phase).toBe(phase);
    const outsider = story.clients.find(({ heard }) => heard.length === 0) as StoryClient;
    const members = story.clients.filter((client) => client !== outsider);
    const answered = members.at(-1) as StoryClient;
    for (const [type, message] of Object.entries(MESSAGES)) {
      const usual = type === 'check-in' ? 'waiting' : 'wrong-phase';
      const [toAsked, toAnswered] = answers[type as keyof typeof MESSAGES] ?? [usual, usual];
      const say = async ({ id }: StoryClient) => answerOf(await story.coordination.handle(id, message));
      expect([type, await say(answered)]).toEqual([type, toAnswered]);
      if (toAsked !== '') expect([type, await say(asked)]).toEqual([type, toAsked]);
      const stranger =
        type === 'check-in'
          ? 'waiting'
          : type === 'masked-input'
            ? /wrong-phase|too-late|not-in/
            : 'not-in-cohort';
      expect(await say(outsider)).toMatch(stranger);
    }
    // Whoever was asked all the while is asked again, and answers: nothing was lost, nothing counted twice.
    for (const client of [silent, asked]) {
      delete client.silentFrom;
      story.coordination.connected('films', client.id);
    }
    const record = committed(await story.untilEnd());
    expect(record).toMatchObject({ reported: planned, dropped: [], declined: {} });
    expectClose(await change(story, record), meanDelta(members));
  });
});

describe('in phase', () => {
  it('train: who declines is out, and cannot be ready afterwards', async () => {
    const story = await openStory({ count: 8 });
    const [client] = story.clients as [StoryClient];
    client.silentFrom = 'describe';
    await story.gather();
    const [bystander] = story.clients.slice(1) as [StoryClient];
    bystander.silentFrom = 'describe';
    await story.settle();
    for (let times = 0; times < 2; times++)
      expect(await story.coordination.handle(client.id, MESSAGES.decline)).toEqual({ type: 'accepted' });
    expect(answerOf(await story.coordination.handle(client.id, MESSAGES['advertise-keys']))).toBe('too-late');
    delete bystander.silentFrom;
    story.coordination.connected('films', bystander.id);
    const record = committed(await story.untilEnd());
    expect(record).toMatchObject({ reported: 7, dropped: [], declined: { 'not-eligible': 1 } });
    expectClose(await change(story, record), meanDelta(story.clients.slice(1)));
  });
});
