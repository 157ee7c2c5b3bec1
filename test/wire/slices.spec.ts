import { openRecordingProxy, websocketMessages, type RecordingProxy } from '@tutti/audit';
import { createClient, type Client } from '@tutti/client-node';
import { decodeClientMessage } from '@tutti/protocol';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';

/** More than 16,384 items: a task slices by itself. */
const WIDE = Array.from({ length: 16_500 }, (_, film) => `film-${film}`);
const ROWS = 8_192;
const DIMENSION = 2;
/** 8,192 rows of two numbers and a popularity lane; weight, clip indicator and four metrics. */
const WORDS = ROWS * (DIMENSION + 1) + 6;

describe('a catalogue of 16,500 items over real sockets', () => {
  let federation: WireFederation;
  const folder = mkdtempSync(join(tmpdir(), 'tutti-slices-'));
  const proxies: RecordingProxy[] = [];
  const watched: Client[] = [];

  /** Two rounds in which one client of three likes and one of 300 go through recording proxies. */
  beforeAll(async () => {
    federation = await openWireFederation(
      wireConfig({ catalogue: { ids: WIDE }, model: { family: 'mf', dimension: DIMENSION }, rounds: 2 }),
    );
    const others = await Promise.all(
      Array.from({ length: 4 }, (_, i) =>
        federation.client(`other-${i}`, WIDE.slice(1_000 * i, 1_000 * i + 40)),
      ),
    );
    for (const likes of [3, 300]) {
      const proxy = await openRecordingProxy(federation.url);
      proxies.push(proxy);
      const client = await createClient({
        coordinator: proxy.url,
        task: 'films',
        store: join(folder, String(likes)),
        engine: federation.engine,
        policy: { smallestCohort: 2, insecureSmallCohort: true },
        answerEveryMs: 20,
      });
      await client.record(WIDE.slice(0, likes).map((item) => ({ item, kind: 'like' })));
      watched.push(client);
    }
    await federation.run([...others, ...watched], rounds(2));
    await Promise.all(watched.map((client) => client.stop()));
  }, 120_000);

  afterAll(async () => {
    await Promise.all(watched.map((client) => client.close()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await federation.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const requestsOf = (proxy: RecordingProxy): string[] =>
    proxy.connections
      .map(({ up }) => Buffer.concat(up.map(({ bytes }) => bytes)).toString('latin1'))
      .filter((text) => !/upgrade: websocket/i.test(text))
      .flatMap((text) => text.match(/^[A-Z]+ \S+ HTTP/gm) ?? []);

  const uploadsOf = (proxy: RecordingProxy) =>
    proxy.connections
      .flatMap(({ up }) => websocketMessages(up))
      .filter(({ payload }) => payload[0] === 2)
      .map(({ payload }) => ({ message: decodeClientMessage(payload), bytes: payload.length }))
      .filter(({ message }) => message.type !== 'check-in');

  it('asks for the same things whoever the person is: the task, the catalogue, and each round’s slice', () => {
    const [few, many] = proxies.map(requestsOf);
    expect(many).toEqual(few);
    const blobs = few?.filter((line) => line.includes('/v1/blobs/')) ?? [];
    // The catalogue and two slices, each once; never a whole table.
    expect(new Set(blobs).size).toBe(3);
    expect(blobs).toHaveLength(3);
    const models = federation.events.flatMap((event) =>
      event.type === 'committed' ? [event.record.modelHash, event.record.previousModelHash] : [],
    );
    expect(models).toHaveLength(4);
    for (const hash of models) expect(blobs.join()).not.toContain(hash);
  });

  it('uploads the same sizes for a person with 3 and one with 300 interactions: the slice’s', () => {
    const [few, many] = proxies.map((proxy) =>
      uploadsOf(proxy).map(({ message, bytes }) => `${message.type} ${bytes}`),
    );
    expect(many).toEqual(few);
    const vectors = proxies
      .flatMap(uploadsOf)
      .flatMap(({ message }) => (message.type === 'masked-input' ? [message.totalBytes] : []));
    // Two clients, two rounds, one frame each: words of three or four bytes.
    expect(vectors).toHaveLength(4);
    for (const bytes of vectors) expect([3 * WORDS, 4 * WORDS]).toContain(bytes);
  });

  it('commits both rounds with everybody in them', () => {
    const records = federation.events.flatMap((event) => (event.type === 'committed' ? [event.record] : []));
    expect(records.map(({ reported }) => reported)).toEqual([6, 6]);
  });

  it('ranks what it knows without another download, and everything after a refresh', async () => {
    const [client] = watched as [Client];
    const [proxy] = proxies as [RecordingProxy];
    const before = requestsOf(proxy).length;
    // Two slices of 8,192 rows out of 16,500: all but 116, which this device cannot rank yet.
    const known = await client.recommend({ k: 10_000 });
    expect(known).toHaveLength(10_000);
    expect(requestsOf(proxy)).toHaveLength(before);
    const touched = new Set(WIDE.slice(0, 3));
    for (const { item } of known) expect(touched.has(item)).toBe(false);
    await client.refresh();
    expect(requestsOf(proxy)).toHaveLength(before + 2);
    expect(await client.recommend({ k: 10 })).toHaveLength(10);
  });
});
