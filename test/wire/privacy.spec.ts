import { createClient } from '@tutti/client-node';
import { openRecordingProxy, websocketMessages, type RecordingProxy } from '@tutti/audit';
import { decodeClientMessage, PROTOCOL_VERSION, type ClientMessage } from '@tutti/protocol';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';

/** A catalogue wide enough for a person with 300 interactions, and names that would be seen on a wire. */
const WIDE = Array.from({ length: 400 }, (_, film) => `SECRET-FILM-${film}`);

/** The default noise makes words of three bytes. */
const WORD_BYTES = 3;

/** Rounds that are watched: what two rounds of one client have in common would show. */
const ROUNDS = 2;

/** Clients of three likes and of 300, each behind a proxy of its own that keeps every byte, and four others. */
interface Watched {
  readonly federation: WireFederation;
  readonly proxies: readonly RecordingProxy[];
  close(): Promise<void>;
}

async function watchRounds(protection: 'secure' | 'plain'): Promise<Watched> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-privacy-'));
  const federation = await openWireFederation(
    wireConfig({
      catalogue: { ids: WIDE },
      model: { family: 'mlp', dimension: 8, hidden: [8] },
      rounds: ROUNDS,
      insecurePlain: protection === 'plain',
    }),
  );
  const policy = { smallestCohort: 2, insecureSmallCohort: true, allowPlain: protection === 'plain' };
  const proxies: RecordingProxy[] = [];
  const open = async (name: string, likes: readonly string[], proxied: boolean) => {
    const proxy = proxied ? await openRecordingProxy(federation.url) : undefined;
    if (proxy !== undefined) proxies.push(proxy);
    const client = await createClient({
      coordinator: proxy?.url ?? federation.url,
      task: 'films',
      store: join(folder, name),
      engine: federation.engine,
      policy,
      answerEveryMs: 20,
    });
    await client.record(likes.map((item) => ({ item, kind: 'like' })));
    return client;
  };
  const clients = [
    await open('few', WIDE.slice(0, 3), true),
    await open('many', WIDE.slice(0, 300), true),
    ...(await Promise.all(
      Array.from({ length: 4 }, (_, i) => open(`other-${i}`, WIDE.slice(10 * i, 10 * i + 8), false)),
    )),
  ];
  await federation.run(clients, rounds(ROUNDS));
  await Promise.all(clients.map((client) => client.close()));
  return {
    federation,
    proxies,
    async close() {
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await federation.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const payloadsOf = (proxy: RecordingProxy): Uint8Array[] =>
  proxy.connections.flatMap(({ up }) => websocketMessages(up)).map(({ payload }) => payload);

/** Whether a payload is a protocol message; the rest is socket.io's own framing, which is text. */
const isMessage = (payload: Uint8Array): boolean => payload[0] === PROTOCOL_VERSION;

/** Protocol messages among the payloads: binary attachments. */
function messagesOf(proxy: RecordingProxy): { message: ClientMessage; bytes: number }[] {
  return payloadsOf(proxy)
    .filter(isMessage)
    .map((payload) => ({ message: decodeClientMessage(payload), bytes: payload.length }));
}

/** The bytes of the vectors that a client uploaded, one array a round. */
function uploadsOf(proxy: RecordingProxy): Uint8Array[] {
  const frames = new Map<number, Uint8Array[]>();
  for (const { message } of messagesOf(proxy))
    if (message.type === 'masked-input')
      frames.set(message.attempt, [...(frames.get(message.attempt) ?? []), message.bytes]);
  return [...frames.values()].map((parts) => Uint8Array.from(Buffer.concat(parts)));
}

/** χ² of the bytes at every position `from`, `from + step`, …, over 256 values. */
function chiSquare(bytes: Uint8Array, from: number, step: number): number {
  const counts = new Float64Array(256);
  let total = 0;
  for (let i = from; i < bytes.length; i += step, total++) {
    const value = bytes[i] as number;
    counts[value] = (counts[value] as number) + 1;
  }
  return counts.reduce((sum, count) => sum + (count - total / 256) ** 2 / (total / 256), 0);
}

/** Bytes modulo 256 of one vector less another's: what is left where both carry the same mask. */
const difference = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  a.map((byte, i) => (byte - (b[i] as number)) & 255);

/**
 * 255 degrees of freedom: mean 255, deviation 22.6. Above 400 is 6.4 deviations; by Laurent & Massart the chance is below 1e-8 for each
 * of the 24 tests here.
 */
const UNIFORM = 400;

describe('every byte that leaves a client', () => {
  let watched: Watched;
  beforeAll(async () => void (watched = await watchRounds('secure')), 60_000);
  afterAll(() => watched.close());

  /** What is left of a payload when sizes and counters of the transport are taken out. */
  const framing = (payload: Uint8Array): string => new TextDecoder().decode(payload).replace(/\d+/g, '#');

  it('is a protocol message, or the fixed framing of the transport', () => {
    for (const proxy of watched.proxies) {
      const framings = new Set(
        payloadsOf(proxy)
          .filter((payload) => !isMessage(payload))
          .map(framing),
      );
      for (const text of framings) expect(text).toMatch(/^#(-#?\["m",\{"_placeholder":true,"num":#\}\])?$/);
      const types = new Set(messagesOf(proxy).map(({ message }) => message.type));
      expect([...types].sort()).toEqual([
        'advertise-keys',
        'check-in',
        'hello',
        'masked-input',
        'share-keys',
        'unmask',
      ]);
    }
  });

  it('never holds an item’s name, in any connection, and no upload over HTTP', () => {
    for (const proxy of watched.proxies) {
      for (const { up } of proxy.connections) {
        const text = Buffer.concat(up.map(({ bytes }) => bytes)).toString('latin1');
        expect(text).not.toContain('SECRET');
        if (!/upgrade: websocket/i.test(text))
          for (const line of text.match(/^[A-Z]+ \S+ HTTP/gm) ?? [])
            expect(line).toMatch(/^GET \/v1\/(tasks\/films|blobs\/[0-9a-f]{64}) HTTP$/);
      }
    }
  });

  it('asks over HTTP for the same things, whoever the person is', () => {
    const asked = watched.proxies.map((proxy) =>
      proxy.connections
        .flatMap(
          ({ up }) =>
            Buffer.concat(up.map(({ bytes }) => bytes))
              .toString('latin1')
              .match(/^GET \S+/gm) ?? [],
        )
        .filter((line) => !line.includes('socket'))
        .sort(),
    );
    // The process keeps models for all its clients, so the second may have found one there: nothing more is asked for.
    for (const line of asked[1] ?? []) expect(asked[0]).toContain(line);
  });

  it('has the same sizes for a person with 3 and one with 300 interactions, message by message', () => {
    const sizes = watched.proxies.map((proxy) =>
      messagesOf(proxy)
        .filter(({ message }) => message.type !== 'check-in')
        .map(({ message, bytes }) => `${message.type} ${bytes}`),
    );
    expect(sizes[0]).toEqual(sizes[1]);
    expect(sizes[0]?.filter((size) => size.startsWith('masked-input'))).toHaveLength(ROUNDS);
  });

  it('holds masked words that are uniform: χ² over 256 values of every byte position', () => {
    for (const proxy of watched.proxies) {
      const uploads = uploadsOf(proxy);
      expect(uploads).toHaveLength(ROUNDS);
      for (const bytes of uploads) {
        expect(bytes.length).toBeGreaterThan(9_000);
        expect(bytes.length % WORD_BYTES).toBe(0);
        for (let position = 0; position < WORD_BYTES; position++)
          expect(chiSquare(bytes, position, WORD_BYTES)).toBeLessThan(UNIFORM);
      }
    }
  });

  it('shares no mask between rounds or between clients: differences are uniform too', () => {
    const [few, many] = watched.proxies.map(uploadsOf) as [Uint8Array[], Uint8Array[]];
    const pairs = [
      [few[0], few[1]],
      [many[0], many[1]],
      [few[0], many[0]],
    ] as [Uint8Array, Uint8Array][];
    for (const [a, b] of pairs) expect(chiSquare(difference(a, b), 0, 1)).toBeLessThan(UNIFORM);
  });
});

describe('the same federation without masks', () => {
  let watched: Watched;
  beforeAll(async () => void (watched = await watchRounds('plain')), 60_000);
  afterAll(() => watched.close());

  it('fails the same tests by far: they would see a vector that is not masked, or a mask that was used twice', () => {
    const [few, many] = watched.proxies.map(uploadsOf) as [Uint8Array[], Uint8Array[]];
    for (const bytes of [...few, ...many])
      expect(chiSquare(bytes, WORD_BYTES - 1, WORD_BYTES)).toBeGreaterThan(10 * UNIFORM);
    // Two vectors under one mask differ by what two plain ones differ by.
    for (const [a, b] of [
      [few[0], few[1]],
      [few[0], many[0]],
    ] as [Uint8Array, Uint8Array][])
      expect(chiSquare(difference(a, b), 0, 1)).toBeGreaterThan(10 * UNIFORM);
  });
});
