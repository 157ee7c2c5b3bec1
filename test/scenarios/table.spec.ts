import type { ClientMessage, Reply } from '@tutti/protocol';
import { describe, expect, it } from 'vitest';
import {
  change,
  committed,
  expectClose,
  meanDelta,
  openStory,
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

/** Phase, what its message to a client is, and the answers to one who is asked and one who has answered. */
const TABLE: readonly [string, Silence, Record<keyof typeof MESSAGES, readonly [string, string]>][] = [
  [
    'train',
    'describe',
    {
      'check-in': ['waiting', 'waiting'],
      // Who is asked may decline; that is no mistake, and stands in the test below.
      decline: ['', 'too-late'],
      'advertise-keys': ['malformed', 'accepted'],
      'share-keys': ['wrong-phase', 'wrong-phase'],
      'reveal-nonce': ['wrong-phase', 'wrong-phase'],
      'masked-input': ['wrong-phase', 'wrong-phase'],
      'sign-survivors': ['wrong-phase', 'wrong-phase'],
      unmask: ['wrong-phase', 'wrong-phase'],
    },
  ],
  [
    'share-keys',
    'roster',
    {
      'check-in': ['waiting', 'waiting'],
      decline: ['wrong-phase', 'wrong-phase'],
      'advertise-keys': ['accepted', 'accepted'],
      'share-keys': ['malformed', 'accepted'],
      'reveal-nonce': ['wrong-phase', 'wrong-phase'],
      'masked-input': ['wrong-phase', 'wrong-phase'],
      'sign-survivors': ['wrong-phase', 'wrong-phase'],
      unmask: ['wrong-phase', 'wrong-phase'],
    },
  ],
  [
    'masked-input',
    'relay-shares',
    {
      'check-in': ['waiting', 'waiting'],
      decline: ['wrong-phase', 'wrong-phase'],
      'advertise-keys': ['wrong-phase', 'wrong-phase'],
      'share-keys': ['accepted', 'accepted'],
      'reveal-nonce': ['wrong-phase', 'wrong-phase'],
      'masked-input': ['malformed', 'accepted'],
      'sign-survivors': ['wrong-phase', 'wrong-phase'],
      unmask: ['wrong-phase', 'wrong-phase'],
    },
  ],
  [
    'unmask',
    'survivors',
    {
      'check-in': ['waiting', 'waiting'],
      decline: ['wrong-phase', 'wrong-phase'],
      'advertise-keys': ['wrong-phase', 'wrong-phase'],
      'share-keys': ['wrong-phase', 'wrong-phase'],
      'reveal-nonce': ['wrong-phase', 'wrong-phase'],
      'masked-input': ['too-late', 'too-late'],
      'sign-survivors': ['accepted', 'accepted'],
      unmask: ['malformed', 'accepted'],
    },
  ],
];

const answerOf = (reply: Reply): string => (reply.type === 'refused' ? reply.reason : reply.type);

describe('every message in phase', () => {
  it.each(TABLE)('%s has its answer, and changes nothing', async (phase, asks, answers) => {
    const story = await openStory({ count: 9 });
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
      const [toAsked, toAnswered] = answers[type as keyof typeof MESSAGES];
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
    expect(record).toMatchObject({ reported: 8, dropped: [], declined: {} });
    expectClose(await change(story, record), meanDelta(members));
  });

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
