import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresStorage } from './index.ts';
import { startTestServer, type TestServer } from './testing.ts';

let started: TestServer | string = 'needs postgresql: it was not started';
beforeAll(async () => void (started = await startTestServer()));
afterAll(async () => {
  if (typeof started !== 'string') await started.destroy();
});

/** The server; skips where there is none. */
function server(skip: (reason?: string) => never): TestServer {
  if (typeof started === 'string') return skip(started);
  return started;
}

const entry = (atMs: number) =>
  ({
    v: 1,
    type: 'task-created',
    atMs,
    layoutHash: 'a'.repeat(64),
    catalogueHash: 'b'.repeat(64),
    modelHash: 'c'.repeat(64),
  }) as const;

/** A way to the server that can be cut. */
interface Wire {
  readonly address: string;
  /** Cuts the next connection that commits, behind the commit and before its answer. */
  cutBehindCommit(): void;
  /** How often that happened. */
  cuts(): number;
  /** Connections that are open fall silent for ever; new ones are as ever. */
  lose(): void;
  /** Lost connections on which something was asked since. */
  askedInVain(): number;
  /** Lets nothing through from now on, in both directions, as a network does that is gone; or lets all of it through. */
  hold(isOn: boolean): void;
  close(): Promise<void>;
}

/** A query `commit` as the protocol has it: its type, its length (11), its text. */
const COMMIT = Buffer.from('Q\0\0\0\x0bcommit\0', 'latin1');

async function wireTo(url: string): Promise<Wire> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-wire-'));
  const target = join(new URLSearchParams(url.split('?')[1]).get('host') ?? '', '.s.PGSQL.5432');
  const sockets = new Set<Socket>();
  let isArmed = false;
  let isHeld = false;
  const lost = new Set<Socket>();
  const asked = new Set<Socket>();
  let cuts = 0;
  const listener = createServer((near) => {
    const far = connect(target);
    let isCut = false;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      if (isHeld) from.pause();
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
    }
    near.on('data', (chunk: Buffer) => {
      if (lost.has(near)) {
        // All but a good-bye.
        if (chunk[0] !== 'X'.charCodeAt(0)) asked.add(near);
        return;
      }
      if (isArmed && chunk.includes(COMMIT)) {
        isArmed = false;
        isCut = true;
      }
      far.write(chunk);
    });
    far.on('data', (chunk: Buffer) => {
      if (!isCut) return void near.write(chunk);
      // The server has committed: this is its answer.
      cuts++;
      near.destroy();
    });
  });
  await new Promise<void>((resolve) => listener.listen(join(folder, '.s.PGSQL.5432'), resolve));
  return {
    address: url.replace(/host=[^&]*/, `host=${encodeURIComponent(folder)}`),
    cutBehindCommit: () => void (isArmed = true),
    cuts: () => cuts,
    lose: () => sockets.forEach((socket) => lost.add(socket)),
    askedInVain: () => asked.size,
    hold(isOn) {
      isHeld = isOn;
      for (const socket of sockets)
        if (isOn) socket.pause();
        else socket.resume();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

describe('a connection that breaks', () => {
  it('behind a commit: the entry counts once, and is acknowledged', async (ctx) => {
    const wire = await wireTo(await server(ctx.skip).newDatabase());
    const { store, blobs, close } = await openPostgresStorage(wire.address, nodeCrypto);
    await store.appendJournal('films', 0, [entry(0)]);
    for (let length = 1; length < 6; length++) {
      wire.cutBehindCommit();
      await store.appendJournal('films', length, [entry(length)]);
    }
    wire.cutBehindCommit();
    const hash = await blobs.put(Uint8Array.of(1));
    expect(wire.cuts()).toBe(6);
    expect(await store.readJournal('films')).toEqual([0, 1, 2, 3, 4, 5].map(entry));
    expect(await blobs.get(hash)).toEqual(Uint8Array.of(1));
    await close();
    await wire.close();
  });

  it('into nothing, without a word: what waits is done when the network is back', async (ctx) => {
    const wire = await wireTo(await server(ctx.skip).newDatabase());
    // A statement may take half a second, so that the silence is noticed within a test.
    const { store, close } = await openPostgresStorage(wire.address, nodeCrypto, {
      statementMs: 500,
      answerMs: 300,
    });
    await store.appendJournal('films', 0, [entry(0)]);
    wire.hold(true);
    const waiting = store.appendJournal('films', 1, [entry(1)]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    wire.hold(false);
    await waiting;
    await store.appendJournal('films', 2, [entry(2)]);
    expect(await store.readJournal('films')).toEqual([0, 1, 2].map(entry));
    await close();
    await wire.close();
  });

  it('with all others, as when another server has the address: one is waited for, the rest are thrown away', async (ctx) => {
    const wire = await wireTo(await server(ctx.skip).newDatabase());
    const { store, blobs, close } = await openPostgresStorage(wire.address, nodeCrypto, {
      statementMs: 500,
      answerMs: 300,
    });
    // Four connections are open.
    await Promise.all([0, 1, 2, 3].map((i) => blobs.put(Uint8Array.of(i))));
    wire.lose();
    await store.appendJournal('films', 0, [entry(0)]);
    expect(await store.readJournal('films')).toEqual([entry(0)]);
    expect(wire.askedInVain()).toBe(1);
    await close();
    await wire.close();
  });
});
