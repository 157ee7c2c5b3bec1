import { Redis } from 'ioredis';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRedis, untilConnected } from './redis.ts';
import { openSealer, type NodeId } from './sealing.ts';
import { openStreams, type Streams } from './streams.ts';
import { startTestRedis, type TestRedis } from './testing.ts';

let started: TestRedis | string = 'needs redis: it was not started';
beforeAll(async () => void (started = await startTestRedis()));
afterAll(async () => {
  if (typeof started !== 'string') await started.destroy();
});

function server(skip: (reason?: string) => never): TestRedis {
  return typeof started === 'string' ? skip(started) : started;
}

const node = (letter: string): NodeId => letter.repeat(32) as NodeId;
const SECRET = new Uint8Array(32).fill(7);

/** A process that keeps what it hears. */
async function open(url: string, self: NodeId, secret = SECRET) {
  const [commands, reader] = [connectRedis(url), connectRedis(url)];
  await Promise.all([untilConnected(commands, 5_000), untilConnected(reader, 5_000)]);
  const sealer = openSealer(self, secret, nodeCrypto);
  const streams = openStreams({ self, name: 'test', sealer, commands, reader });
  const heard: string[] = [];
  const gaps: (NodeId | undefined)[] = [];
  streams.onMessage((_, plain) => heard.push(Buffer.from(plain).toString()));
  streams.onGap((from) => gaps.push(from));
  return {
    ...{ streams, heard, gaps },
    async close() {
      await streams.close();
      commands.disconnect();
    },
  };
}

const say = (streams: Streams, to: NodeId, text: string): void => streams.send(to, Buffer.from(text));

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error('not in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('streams', () => {
  it('bring messages in order, and leave nothing behind', async (ctx) => {
    const { url } = server((reason) => ctx.skip(reason));
    const [a, b] = [await open(url, node('a')), await open(url, node('b'))];
    b.streams.start();
    for (let i = 0; i < 500; i++) say(a.streams, node('b'), `${i}`);
    await until(() => b.heard.length === 500);
    expect(b.heard).toEqual(Array.from({ length: 500 }, (_, i) => `${i}`));
    expect(b.gaps).toEqual([]);
    const redis = new Redis(url);
    await until(() => true);
    expect(await redis.xlen(`tutti:test:inbox:${node('b')}`)).toBe(0);
    redis.disconnect();
    await Promise.all([a.close(), b.close()]);
  });

  it('tell of a message that was lost, and take none twice, changed, or of another cluster', async (ctx) => {
    const { url } = server((reason) => ctx.skip(reason));
    const [c, d] = [await open(url, node('c')), await open(url, node('d'))];
    const stranger = await open(url, node('e'), new Uint8Array(32));
    const redis = new Redis(url);
    const inbox = `tutti:test:inbox:${node('d')}`;
    const rows = () => redis.xrangeBuffer(inbox, '-', '+') as Promise<[Buffer, Buffer[]][]>;
    say(c.streams, node('d'), 'one');
    say(c.streams, node('d'), 'two');
    say(c.streams, node('d'), 'three');
    say(stranger.streams, node('d'), 'let me in');
    while ((await rows()).length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
    const [first, second] = await rows();
    await redis.xdel(inbox, (second as [Buffer, Buffer[]])[0]);
    const fields = (first as [Buffer, Buffer[]])[1];
    await redis.xadd(inbox, '*', ...fields);
    const changed = fields.map((field) => Buffer.from(field));
    (changed[3] as Buffer).write('9');
    await redis.xadd(inbox, '*', ...changed);
    d.streams.start();
    await until(() => d.heard.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(d.heard).toEqual(['one', 'three']);
    expect(d.gaps).toEqual([node('c')]);
    redis.disconnect();
    await Promise.all([c.close(), d.close(), stranger.close()]);
  });

  it('go on when Redis comes again without its memory, and say that something may be missing', async (ctx) => {
    const redis = server((reason) => ctx.skip(reason));
    const [f, g] = [await open(redis.url, node('f')), await open(redis.url, node('0'))];
    g.streams.start();
    say(f.streams, node('0'), 'before');
    await until(() => g.heard.length === 1);
    await redis.stop();
    say(f.streams, node('0'), 'lost');
    await redis.start();
    await until(() => g.gaps.includes(undefined));
    for (let i = 0; i < 100 && g.heard.length < 2; i++) {
      say(f.streams, node('0'), 'after');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(g.heard.slice(0, 2)).toEqual(['before', 'after']);
    expect(g.gaps).toContain(node('f'));
    await Promise.all([f.close(), g.close()]);
  });

  it('notice that the last message is lost, from what its sender says of their number, and tell of it once', async (ctx) => {
    const { url } = server((reason) => ctx.skip(reason));
    const [h, i] = [await open(url, node('1')), await open(url, node('2'))];
    const redis = new Redis(url);
    say(h.streams, node('2'), 'one');
    say(h.streams, node('2'), 'two');
    const inbox = `tutti:test:inbox:${node('2')}`;
    await until(() => true);
    while ((await redis.xlen(inbox)) < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    const [, last] = (await redis.xrange(inbox, '-', '+')) as [string, string[]][];
    await redis.xdel(inbox, last?.[0] ?? '');
    const sent = h.streams.sent()[node('2')] ?? 0;
    expect(sent).toBe(2);
    i.streams.expect(node('1'), sent, 60_000);
    i.streams.start();
    await until(() => i.heard.length === 1);
    i.streams.expect(node('1'), sent, 60_000);
    expect(i.gaps).toEqual([]);
    for (let times = 0; times < 5; times++) i.streams.expect(node('1'), sent, 0);
    expect(i.gaps).toEqual([node('1')]);
    say(h.streams, node('2'), 'three');
    await until(() => i.heard.length === 2);
    for (let times = 0; times < 5; times++) i.streams.expect(node('1'), sent + 1, 0);
    expect(i.gaps).toEqual([node('1'), node('1')]);
    redis.disconnect();
    await Promise.all([h.close(), i.close()]);
  });
});
