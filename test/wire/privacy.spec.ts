import { createClient } from '@tutti/client-node';
import { decodeClientMessage, PROTOCOL_VERSION, type ClientMessage } from '@tutti/protocol';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FILMS, openWireFederation, rounds, wireConfig, type WireFederation } from './federation.ts';
import { openRecordingProxy, websocketPayloads, type RecordingProxy } from './proxy.ts';

/** A catalogue wide enough for a person with 300 interactions, and names that would be seen on a wire. */
const WIDE = Array.from({ length: 400 }, (_, film) => `SECRET-FILM-${film}`);

describe('every byte that leaves a client', () => {
  let federation: WireFederation;
  const folder = mkdtempSync(join(tmpdir(), 'tutti-privacy-'));
  const proxies: RecordingProxy[] = [];

  /** Runs one round in which one client of three likes and one of 300 go through recording proxies. */
  beforeAll(async () => {
    federation = await openWireFederation(
      wireConfig({
        catalogue: { ids: WIDE },
        model: { family: 'mlp', dimension: 8, hidden: [8] },
        rounds: 1,
      }),
    );
    const others = await Promise.all(
      Array.from({ length: 4 }, (_, i) => federation.client(`other-${i}`, WIDE.slice(10 * i, 10 * i + 8))),
    );
    const watched = await Promise.all(
      [3, 300].map(async (likes) => {
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
        return client;
      }),
    );
    await federation.run([...others, ...watched], rounds(1));
    await Promise.all(watched.map((client) => client.close()));
  }, 60_000);

  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await federation.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const payloadsOf = (proxy: RecordingProxy): Uint8Array[] => proxy.sent.flatMap(websocketPayloads);

  /** Protocol messages among the payloads: binary attachments; the rest is socket.io's own framing. */
  function messagesOf(proxy: RecordingProxy): { message: ClientMessage; bytes: number }[] {
    return payloadsOf(proxy).flatMap((payload) => {
      if (payload[0] !== PROTOCOL_VERSION) return [];
      return [{ message: decodeClientMessage(payload), bytes: payload.length }];
    });
  }

  /** What is left of a payload when sizes and counters of the transport are taken out. */
  const framing = (payload: Uint8Array): string => new TextDecoder().decode(payload).replace(/\d+/g, '#');

  it('is a protocol message, or the fixed framing of the transport', () => {
    for (const proxy of proxies) {
      const framings = new Set(
        payloadsOf(proxy)
          .filter((payload) => payload[0] !== PROTOCOL_VERSION)
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
    for (const proxy of proxies) {
      for (const chunks of proxy.sent) {
        const text = Buffer.concat(chunks).toString('latin1');
        expect(text).not.toContain('SECRET');
        if (!/upgrade: websocket/i.test(text))
          for (const line of text.match(/^[A-Z]+ \S+ HTTP/gm) ?? [])
            expect(line).toMatch(/^GET \/v1\/(tasks\/films|blobs\/[0-9a-f]{64}) HTTP$/);
      }
    }
  });

  it('has the same sizes for a person with 3 and one with 300 interactions', () => {
    const sizes = proxies.map((proxy) =>
      messagesOf(proxy)
        .filter(({ message }) => message.type !== 'check-in')
        .map(({ message, bytes }) => `${message.type} ${bytes}`),
    );
    expect(sizes[0]).toEqual(sizes[1]);
    expect(sizes[0]?.length).toBeGreaterThan(4);
  });

  it('holds masked words that are uniform: χ² over 256 values of every byte position', () => {
    // 255 degrees of freedom: mean 255, deviation 22.6. Above 400 is 6.4 deviations; by Laurent & Massart the chance is below
    // 1e-8 for each of the six tests. The default noise makes words of three bytes.
    for (const proxy of proxies) {
      const words = messagesOf(proxy).flatMap(({ message }) =>
        message.type === 'masked-input' ? [...message.bytes] : [],
      );
      expect(words.length).toBeGreaterThan(9_000);
      expect(words.length % 3).toBe(0);
      for (let position = 0; position < 3; position++) {
        const counts = new Float64Array(256);
        for (let i = position; i < words.length; i += 3)
          counts[words[i] as number] = (counts[words[i] as number] as number) + 1;
        const expected = words.length / 3 / 256;
        const chi2 = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
        expect(chi2).toBeLessThan(400);
      }
    }
  });

  it('would be caught: a plain vector fails the same χ²', () => {
    const plain = new Uint8Array(Float32Array.from({ length: 3_000 }, (_, i) => Math.sin(i) / 10).buffer);
    const counts = new Float64Array(256);
    for (let i = 3; i < plain.length; i += 4)
      counts[plain[i] as number] = (counts[plain[i] as number] as number) + 1;
    const chi2 = counts.reduce((sum, count) => sum + (count - 3_000 / 256) ** 2 / (3_000 / 256), 0);
    expect(chi2).toBeGreaterThan(400);
    expect(FILMS.length).toBeGreaterThan(0);
  });
});
