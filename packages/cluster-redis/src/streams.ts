import type { Redis } from 'ioredis';
import { nodeIdOf, type NodeId, type Sealer } from './sealing.ts';

/**
 * One Redis stream a process: its inbox. Messages are sealed and numbered, so that a repeated one is taken once and a lost one is
 * noticed. Nothing here outlives its use: what was read is deleted, and a stream that nobody reads any more expires.
 */
export interface Streams {
  readonly self: NodeId;
  onMessage(listener: (from: NodeId, plain: Uint8Array) => void): void;
  /** Hears that messages of a process did not come, or (undefined) that any may not have. */
  onGap(listener: (from: NodeId | undefined) => void): void;
  /** How many messages were sent to each process so far, for them to know by another way. */
  sent(): Readonly<Record<string, number>>;
  /**
   * A process has sent so many to us. Where they have not come within `graceMs`, that is a gap, too: the last message of a process that
   * says nothing more would be missed by nobody.
   */
  expect(from: NodeId, number: number, graceMs: number): void;
  /** Sends; where Redis is away or behind, the message is lost. */
  send(to: NodeId, plain: Uint8Array): void;
  start(): void;
  close(): Promise<void>;
}

/** Messages that an inbox holds about at most; older ones are lost. */
const MOST_MESSAGES = 16_384;
/** Bytes that may be on their way to Redis at a time. */
const MOST_BYTES = 2 ** 28;
/** Messages that are read at a time. */
const PAGE = 256;
/** How long a reader waits for messages, in milliseconds. */
const WAIT_MS = 1_000;
/** Pause after a read that failed, in milliseconds. */
const PAUSE_MS = 50;
/** An inbox that got nothing, and whose reader said nothing, for so long is dropped, in milliseconds. */
const EXPIRY_MS = 60_000;

const EMPTY = Buffer.alloc(0);

/** What was read: the id of the entry, who sent it, its number, the sealed bytes. */
type Entry = readonly [id: Buffer, from: string, number: number, sealed: Buffer];

export function openStreams(options: {
  readonly self: NodeId;
  readonly name: string;
  readonly sealer: Sealer;
  readonly commands: Redis;
  /** A connection of its own: it waits. */
  readonly reader: Redis;
}): Streams {
  const { self, name, sealer, commands, reader } = options;
  const inboxOf = (node: NodeId): string => `tutti:${name}:inbox:${node}`;
  // Kept for good: a process that seemed gone may come back, and no number is used twice.
  const sent = new Map<NodeId, number>();
  const got = new Map<NodeId, number>();
  const toldMissing = new Map<NodeId, number>();
  const expected = new Map<NodeId, { readonly number: number; readonly sinceMs: number }>();
  let onMessage: (from: NodeId, plain: Uint8Array) => void = () => undefined;
  let onGap: (from: NodeId | undefined) => void = () => undefined;
  let bytesOut = 0;
  let closed = false;
  let reading: Promise<void> = Promise.resolve();

  async function read(): Promise<void> {
    let wasAway = false;
    while (!closed) {
      try {
        const entries = await nextPage();
        if (wasAway) onGap(undefined);
        wasAway = false;
        for (const entry of entries) take(entry);
      } catch {
        wasAway = true;
        if (!closed) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  /** What was read is deleted before it counts: from the beginning, there is only what is new. */
  async function nextPage(): Promise<Entry[]> {
    const inbox = inboxOf(self);
    const found: unknown = await reader.callBuffer(
      ...(['XREAD', 'COUNT', PAGE, 'BLOCK', WAIT_MS, 'STREAMS', inbox, '0-0'] as const),
    );
    const entries = entriesOf(found);
    if (entries.length > 0) await reader.xdel(inbox, ...entries.map(([id]) => id));
    await reader.pexpire(inbox, EXPIRY_MS);
    return entries;
  }

  function take([, sender, number, sealed]: Entry): void {
    let from: NodeId;
    try {
      from = nodeIdOf(sender);
    } catch {
      return;
    }
    const plain = sealer.open(from, number, sealed);
    const last = got.get(from) ?? 0;
    if (plain === undefined || number <= last) return;
    got.set(from, number);
    if (number > last + 1) onGap(from);
    onMessage(from, plain);
  }

  return {
    self,
    onMessage: (listener) => void (onMessage = listener),
    onGap: (listener) => void (onGap = listener),
    sent: () => Object.fromEntries(sent),
    expect(from, number, graceMs) {
      const have = Math.max(got.get(from) ?? 0, toldMissing.get(from) ?? 0);
      const known = expected.get(from);
      const nowMs = performance.now();
      if (number <= have) return void expected.delete(from);
      if (known === undefined || known.number <= have)
        return void expected.set(from, { number, sinceMs: nowMs });
      if (nowMs - known.sinceMs < graceMs) return;
      toldMissing.set(from, known.number);
      expected.delete(from);
      onGap(from);
    },
    send(to, plain) {
      const number = (sent.get(to) ?? 0) + 1;
      sent.set(to, number);
      if (closed || bytesOut + plain.length > MOST_BYTES) return;
      const sealed = sealer.seal(to, number, plain);
      bytesOut += sealed.length;
      const inbox = inboxOf(to);
      commands
        .xadd(inbox, 'MAXLEN', '~', MOST_MESSAGES, '*', 'f', self, 'n', String(number), 'b', sealed)
        // The receiver misses its number, and asks for what it may have missed.
        .catch(() => undefined)
        .finally(() => (bytesOut -= sealed.length));
      // Where its reader is gone, it goes too.
      if (number % 64 === 1) commands.pexpire(inbox, EXPIRY_MS).catch(() => undefined);
    },
    start: () => void (reading = read()),
    async close() {
      closed = true;
      reader.disconnect();
      await reading;
      await commands.del(inboxOf(self)).catch(() => undefined);
    },
  };
}

/** The entries of XREAD's answer for one stream: `[[key, rows]]`, and in Redis's newer protocol `[key, rows]`. */
function entriesOf(answer: unknown): Entry[] {
  if (!Array.isArray(answer)) return [];
  const [first, second] = answer as unknown[];
  const rows = Array.isArray(first) ? (first[1] as unknown) : second;
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown): Entry[] => {
    if (!Array.isArray(row) || !Array.isArray(row[1])) return [];
    const [id, fields] = row as [unknown, unknown[]];
    const [, from = EMPTY, , number = EMPTY, , sealed = EMPTY] = fields as Buffer[];
    return Buffer.isBuffer(id) ? [[id, from.toString(), Number(number.toString()), sealed]] : [];
  });
}
