import { decodeSliceState } from '@tutti/aggregation';
import { decodeSlice, modelOfRows, sliceCoordinates } from '@tutti/model';
import { sliceRows, sliceTurn, roundDigest, phaseDigest, type CoordinatorMessageOf } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { blobHash, memoryBlobs, type JournalEntry, type RoundRecord } from '@tutti/coordination';
import {
  change,
  committed,
  COORDINATOR_KEY,
  expectClose,
  ITEMS,
  meanDelta,
  openStory,
  taskConfig,
  type Story,
} from './federation.ts';

/** Twelve films in slices of five, two of them head: three rounds without a head, then four a cycle. */
const SLICE = { rows: 5, head: 2 };
const sliced = (over: Parameters<typeof taskConfig>[0] = {}) =>
  taskConfig({ slice: SLICE, rounds: 8, ...over });
const model = taskConfig().model;

/** The description that everybody of the last attempt was sent. */
function described(story: Story, client = 0): CoordinatorMessageOf<'describe'>['description'] {
  const heard = story.clients[client]?.heard.findLast(({ type }) => type === 'describe');
  if (heard?.type !== 'describe') throw new Error('no description');
  return heard.description;
}

/** The rows of the last round's slice, derived from what a client downloads. */
async function rowsOf(story: Story): Promise<Uint32Array> {
  const description = described(story);
  const { slice, round } = description;
  const shape = { items: ITEMS, ...SLICE };
  const bytes = await story.blobs.get(slice!.blobHash);
  const { head } = decodeSlice(bytes, model, { rows: SLICE.rows, head: sliceTurn(shape, round).head });
  return sliceRows(shape, description, head, nodeCrypto);
}

/** What a round must have changed: the mean of the deltas, at the coordinates of the slice, and nothing else. */
function scattered(mean: Float64Array, rows: Uint32Array): Float64Array {
  const whole = new Float64Array(model.layout.length);
  sliceCoordinates(model, rows).places.forEach((place, i) => (whole[place] = mean[i] as number));
  return whole;
}

const played = async (story: Story, rounds = 1): Promise<RoundRecord[]> => {
  const records: RoundRecord[] = [];
  for (let round = 0; round < rounds; round++) {
    await story.gather();
    records.push(committed(await story.untilEnd()));
  }
  return records;
};

describe('a round of a catalogue that travels in slices', () => {
  it('changes the rows of its slice by the mean of everybody, exactly those, round after round', async () => {
    const story = await openStory({ count: 8, config: sliced() });
    const seen = new Set<number>();
    for (let round = 1; round <= 8; round++) {
      const [record] = await played(story);
      const rows = await rowsOf(story);
      rows.forEach((row) => seen.add(row));
      if (round === 3 || round === 7) expect(seen.size).toBe(ITEMS);
      if (round === 3) seen.clear();
      expect(record).toMatchObject({ round, cohort: 8, reported: 8 });
      expectClose(await change(story, record!), scattered(meanDelta(story.clients), rows));
    }
  });

  it('uploads the slice’s lanes and their popularity, the same number from everybody', async () => {
    const story = await openStory({ count: 8, config: sliced() });
    await played(story);
    const { lanes, slice } = described(story);
    expect(lanes.delta).toBe(modelOfRows(model, SLICE.rows).layout.length + SLICE.rows);
    expect(slice).toMatchObject(SLICE);
    const sizes = story.clients.map(({ sent }) => sent.map((bytes) => bytes.length));
    for (const size of sizes) expect(size).toEqual(sizes[0]);
  });

  it('is the same with and without masks, to the last bit of model, strategy and popularity', async () => {
    const ends = await Promise.all(
      (['secure', 'plain'] as const).map(async (protection) => {
        const story = await openStory({
          count: 8,
          config: sliced({ protection, strategy: { name: 'fedadam' } }),
        });
        const records = await played(story, 5);
        const entry = (await story.store.readJournal('films')).at(-1) as Extract<
          JournalEntry,
          { type: 'round-committed' }
        >;
        return [records.map(({ modelHash }) => modelHash), entry.strategyHash, entry.sliceHash];
      }),
    );
    expect(ends[1]).toEqual(ends[0]);
    expect(new Set(ends[0]?.[0]).size).toBe(5);
  });

  it('counts how popular rows are: every client likes films 1 and 2', async () => {
    const story = await openStory({ count: 8, config: sliced() });
    await played(story, 3);
    const entry = (await story.store.readJournal('films')).at(-1) as { sliceHash?: string };
    const { popularity, head, steps } = decodeSliceState(await story.blobs.get(entry.sliceHash!), ITEMS);
    // Three slices of five hold every film once, and three of them twice.
    expect(steps.reduce((sum, count) => sum + count, 0)).toBe(15);
    expect(Math.min(...steps)).toBe(1);
    expect([...head]).toEqual([1, 2]);
    popularity.forEach((value, row) => expect(value > 0.05).toBe(row === 1 || row === 2));
  });

  it('goes on after a restart as if there had been none: the same slices, the same models', async () => {
    const config = sliced();
    const whole = await openStory({ count: 8, config });
    const models = (await played(whole, 6)).map(({ modelHash }) => modelHash);
    const first = await openStory({ count: 8, config });
    const before = await played(first, 4);
    await first.coordination.close();
    const { store, blobs } = first;
    const clientStores = first.clients.map(({ store: kept }) => kept);
    const second = await openStory({ count: 8, config, store, blobs, clientStores });
    const after = await played(second, 2);
    expect([...before, ...after].map(({ modelHash }) => modelHash)).toEqual(models);
    expect(described(second).slice).toEqual(described(whole).slice);
  });

  it('leaves out whoever is shown a slice of its own: its keys belong to another round, the sum is that of the others', async () => {
    const lonely = 3;
    const published = new Map<string, Uint8Array>();
    const memory = memoryBlobs(nodeCrypto);
    const publish = (bytes: Uint8Array): Promise<string> => {
      published.set(blobHash(bytes, nodeCrypto), bytes.slice());
      return memory.put(bytes);
    };
    const story: Story = await openStory({
      count: 8,
      config: sliced(),
      blobs: { ...memory, put: publish },
      alter(client, message) {
        if (message.type !== 'describe' || client !== lonely) return message;
        // The least bit of one weight is another: all that a device can check by itself fits.
        const { slice } = message.description;
        const bytes = published.get(slice!.blobHash)!.slice();
        bytes[bytes.length - 4]! ^= 1;
        void publish(bytes);
        const own = { ...slice!, blobHash: blobHash(bytes, nodeCrypto) };
        const description = { ...message.description, slice: own };
        const digest = roundDigest(description, nodeCrypto);
        const signed = phaseDigest('describe', digest, [], nodeCrypto);
        return { ...message, description, signature: nodeCrypto.sign(signed, COORDINATOR_KEY.secretKey) };
      },
    });
    const [record] = await played(story);
    expect(record).toMatchObject({ cohort: 7, reported: 7 });
    expect(story.clients[lonely]?.declined).toEqual([]);
    const others = story.clients.filter((_, client) => client !== lonely);
    expectClose(await change(story, record!), scattered(meanDelta(others), await rowsOf(story)));
  });
});
