import { createModel, resolveModelConfig } from '@tutti/model';
import {
  createCoordination,
  manualClock,
  memoryBlobs,
  memoryStore,
  type RoundRecord,
} from '@tutti/coordination';
import type { Reply } from '@tutti/protocol';
import { clientIdOf, WORD_BITS, type WordBits } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { systemRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import {
  change,
  committed,
  openStory,
  taskConfig,
  type Frame,
  type Story,
  type StoryClient,
  type Uploading,
} from './federation.ts';

/** Vectors of three frames, and every way in which one of eight uploads can go wrong: an exact sum, or a refusal by name. */

/** Enough items for three frames of either width: 65,536 words of four bytes each, or 87,381 of three. */
const WIDE = createModel(
  resolveModelConfig({ family: 'mf', dimension: 32 }, { items: 5_600, meanHistory: 3 }),
  5_600,
);
const config = (wordBits: WordBits) =>
  taskConfig({ model: WIDE, wordBits, noise: { multiplier: 0.1, metricMultiplier: 0 } });

/** The client whose upload goes wrong. */
const CULPRIT = 2;

type Send = (frame: Frame) => Promise<Reply>;
type Answers = (Reply | { readonly type: string })[];

/** One round in which the culprit uploads as `how` says; what it was answered, and what came of the round. */
async function round(
  wordBits: WordBits,
  how: (frames: readonly Frame[], send: Send, story: Story) => Promise<Answers>,
): Promise<{ story: Story; record: RoundRecord; answers: Answers }> {
  let answers: Answers = [];
  const upload: Uploading = async (client, frames, send) => {
    if (client === CULPRIT) answers = await how(frames, send, story);
    else for (const frame of frames) await send(frame);
  };
  const story = await openStory({ count: 8, config: config(wordBits), upload });
  await story.gather();
  return { story, record: committed(await story.untilEnd()), answers };
}

const inOrder = async (frames: readonly Frame[], send: Send): Promise<Answers> => {
  const answers: Answers = [];
  for (const frame of frames) answers.push(await send(frame));
  return answers;
};

const taken = (next: number) => ({ type: 'accepted', next });
const COUNTED = { type: 'accepted' };
const refusedFrame = (field: string) => ({
  type: 'refused',
  reason: 'malformed',
  field: `masked-input.${field}`,
});
const otherBytes = (frame: Frame): Frame => ({ ...frame, bytes: frame.bytes.map((byte) => byte ^ 0x55) });

/** Checkpoints of honest rounds, for comparison: of all eight, and of the seven without the culprit. */
const honest = new Map<string, Promise<string>>();
function checkpointOf(wordBits: WordBits, without: 'nobody' | 'the culprit'): Promise<string> {
  const name = `${wordBits}/${without}`;
  const known =
    honest.get(name) ??
    round(wordBits, async (frames, send) => (without === 'nobody' ? inOrder(frames, send) : [])).then(
      ({ record }) => record.modelHash,
    );
  honest.set(name, known);
  return known;
}

describe.each(WORD_BITS)('an upload of %d-bit words', (wordBits) => {
  const word = wordBits / 8;

  it('is three frames, the last of which is acknowledged once the vector counts', async () => {
    const { answers, record } = await round(wordBits, inOrder);
    expect(answers).toEqual([taken(1), taken(2), COUNTED]);
    expect(record.reported).toBe(8);
  });

  it.each<[string, string, (frame: Frame) => Frame]>([
    ['truncated', 'bytes', (frame) => ({ ...frame, bytes: frame.bytes.subarray(word) })],
    ['torn within a word', 'bytes', (frame) => ({ ...frame, bytes: frame.bytes.subarray(1) })],
    ['empty', 'bytes', (frame) => ({ ...frame, bytes: new Uint8Array(0) })],
    ['oversize', 'bytes', (frame) => ({ ...frame, bytes: new Uint8Array(frame.bytes.length + word) })],
    ['of a longer vector', 'totalBytes', (frame) => ({ ...frame, totalBytes: frame.totalBytes + word })],
    ['of a shorter vector', 'totalBytes', (frame) => ({ ...frame, totalBytes: frame.totalBytes - word })],
    [
      'of the other width',
      'totalBytes',
      (frame) => ({ ...frame, totalBytes: (frame.totalBytes / word) * (7 - word) }),
    ],
    ['one of too many', 'count', (frame) => ({ ...frame, count: frame.count + 1 })],
    ['one of too few', 'count', (frame) => ({ ...frame, count: frame.count - 1 })],
    ['beyond the last', 'index', (frame) => ({ ...frame, index: frame.count })],
  ])(
    'with a frame that is %s is refused it for its %s, goes on where it was, and counts',
    async (_name, field, spoil) => {
      const { answers, record } = await round(wordBits, async (frames, send) => {
        const [first, second, third] = frames as [Frame, Frame, Frame];
        return inOrder([first, spoil(second), second, spoil(third), third], send);
      });
      expect(answers).toMatchObject([taken(1), refusedFrame(field), taken(2), refusedFrame(field), COUNTED]);
      expect(record.reported).toBe(8);
      expect(record.modelHash).toBe(await checkpointOf(wordBits, 'nobody'));
    },
  );

  it('that is never whole is not in the sum: its client counts as dropped', async () => {
    const { answers, record } = await round(wordBits, async (frames, send) =>
      inOrder(frames.slice(0, 2), send),
    );
    expect(answers).toEqual([taken(1), taken(2)]);
    expect(record).toMatchObject({ reported: 7, dropped: [{ phase: 'masked-input', count: 1 }] });
    expect(record.modelHash).toBe(await checkpointOf(wordBits, 'the culprit'));
  });

  it('out of order is told which frame is expected', async () => {
    const { answers, record } = await round(wordBits, async (frames, send) => {
      const [first, second, third] = frames as [Frame, Frame, Frame];
      return inOrder([third, second, first, third, second, third], send);
    });
    const expected = (next: number) => ({
      type: 'refused',
      reason: 'frame-out-of-order',
      field: 'index',
      problem: `frame ${next} is expected`,
      next,
    });
    expect(answers).toEqual([expected(0), expected(0), taken(1), expected(1), taken(2), COUNTED]);
    expect(record.modelHash).toBe(await checkpointOf(wordBits, 'nobody'));
  });

  it('that overlaps what came before changes nothing: the first bytes of a frame count', async () => {
    const { answers, record } = await round(wordBits, async (frames, send) => {
      const [first, second, third] = frames as [Frame, Frame, Frame];
      return inOrder([first, otherBytes(first), second, otherBytes(first), otherBytes(second), third], send);
    });
    expect(answers).toEqual([taken(1), taken(1), taken(2), taken(2), taken(2), COUNTED]);
    expect(record.modelHash).toBe(await checkpointOf(wordBits, 'nobody'));
  });

  it('twice counts once, also with other bytes the second time', async () => {
    const { answers, record } = await round(wordBits, async (frames, send) => [
      ...(await inOrder(frames, send)),
      ...(await inOrder(frames, send)),
      ...(await inOrder(frames.map(otherBytes), send)),
    ]);
    expect(answers).toEqual([taken(1), taken(2), ...new Array<object>(7).fill(COUNTED)]);
    expect(record.reported).toBe(8);
    expect(record.modelHash).toBe(await checkpointOf(wordBits, 'nobody'));
  });

  it('goes on after a reconnect with the frame that is missing: the same words, asked for again', async () => {
    const uploads: Frame[][] = [];
    const { story, answers, record } = await round(wordBits, async (frames, send, open) => {
      uploads.push([...frames]);
      const [first, second, third] = frames as [Frame, Frame, Frame];
      if (uploads.length === 1) {
        const before = await inOrder([first, second], send);
        const { id } = open.clients[CULPRIT] as StoryClient;
        open.coordination.disconnected(id);
        open.coordination.connected('films', id);
        return before;
      }
      return inOrder([first, third], send);
    });
    // The second time: frame 0 is known, frame 2 is expected.
    expect(answers).toEqual([taken(2), COUNTED]);
    expect(uploads).toHaveLength(2);
    expect(uploads[1]).toEqual(uploads[0]);
    const asked = (story.clients[CULPRIT] as StoryClient).heard.filter(({ type }) => type === 'relay-shares');
    expect(asked).toHaveLength(2);
    expect(record.reported).toBe(8);
    expect(record.modelHash).toBe(await checkpointOf(wordBits, 'nobody'));
  });
});

describe('frames', () => {
  it('of another attempt, of a stranger, before their phase and after it are refused by name', async () => {
    const stranger = nodeCrypto.signKeyPair(systemRandom());
    let late: Frame | undefined;
    const { story, answers } = await round(24, async (frames, send, open) => {
      const [first] = frames as [Frame];
      late = first;
      const id = clientIdOf(stranger.publicKey, nodeCrypto);
      open.coordination.connected('films', id);
      return [
        await send({ ...first, attempt: first.attempt + 1 }),
        await open.coordination.handle(id, first),
        ...(await inOrder(frames, send)),
      ];
    });
    expect(answers.slice(0, 2)).toMatchObject([
      { type: 'refused', reason: 'unknown-attempt' },
      { type: 'refused', reason: 'not-in-cohort' },
    ]);
    const { id } = story.clients[CULPRIT] as StoryClient;
    expect(await story.coordination.handle(id, late as Frame)).toMatchObject({ reason: 'unknown-attempt' });
  });
});

/** What training can hand over, and what becomes of it: values beyond the clip, and values that are no numbers. */
describe('an update', () => {
  const length = taskConfig().model.layout.length;
  const trainedTo = async (delta: Float32Array) => {
    const story = await openStory({ count: 8 });
    (story.clients[CULPRIT] as StoryClient).delta.set(delta);
    await story.gather();
    const record = committed(await story.untilEnd());
    return {
      record,
      client: story.clients[CULPRIT] as StoryClient,
      changed: await change(story, record),
      story,
    };
  };

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'that holds %d adds zeros, like a person without data: a refusal would say something of theirs',
    async (value) => {
      const delta = new Float32Array(length);
      delta[7] = value;
      const { record, client, changed, story } = await trainedTo(delta);
      expect(client.declined).toEqual([]);
      expect(record).toMatchObject({ reported: 8, declined: {} });
      const others = story.clients.filter((one) => one !== client);
      changed.forEach((one, i) => {
        const mean = others.reduce((sum, other) => sum + (other.delta[i] as number), 0) / 8;
        expect(Math.abs(one - mean)).toBeLessThan(4e-6);
      });
    },
  );

  it('longer than the clipping norm is scaled down to it', async () => {
    const delta = new Float32Array(length);
    delta[3] = 50;
    const { record, changed, story, client } = await trainedTo(delta);
    expect(record.reported).toBe(8);
    const others = story.clients.filter((one) => one !== client);
    const mean = (others.reduce((sum, other) => sum + (other.delta[3] as number), 0) + 1) / 8;
    expect(Math.abs((changed[3] as number) - mean)).toBeLessThan(4e-6);
  });

  it('of denormal numbers is a sum like any other', async () => {
    const { record, changed, story, client } = await trainedTo(new Float32Array(length).fill(2 ** -140));
    expect(record.reported).toBe(8);
    const others = story.clients.filter((one) => one !== client);
    changed.forEach((one, i) => {
      const mean = others.reduce((sum, other) => sum + (other.delta[i] as number), 0) / 8;
      expect(Math.abs(one - mean)).toBeLessThan(4e-6);
    });
  });
});

it('a task whose sums would not fit its ring is refused before it begins', async () => {
  const loud = taskConfig({
    wordBits: 24,
    cohort: { planned: 100, smallest: 50, largestGroup: 128, overselection: 1 },
    noise: { multiplier: 60, metricMultiplier: 0 },
  });
  const opened = createCoordination({
    tasks: [loud],
    store: memoryStore(),
    blobs: memoryBlobs(nodeCrypto),
    clock: manualClock(),
    random: systemRandom(),
    crypto: nodeCrypto,
    outbox: { send: () => undefined },
  });
  await expect(opened).rejects.toThrow(
    /tasks\[films\]\.wordBits: 24: a sum can reach [\d.]+; it must stay below 8388608/,
  );
});
