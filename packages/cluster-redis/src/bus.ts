import { secretCopy, wipe } from '@tutti/base';
import * as z from 'zod/mini';
import { AnsweredNoError, NoAnswerError } from './errors.ts';
import { pack, unpack, type Packet } from './packet.ts';
import type { NodeId } from './sealing.ts';
import type { Streams } from './streams.ts';
import type { Timing } from './timing.ts';

/** Who hears a kind of message; what they give back answers a question. What they keep of the parts they copy. */
export type Handler = (from: NodeId, packet: Packet) => Promise<Packet> | Packet | undefined;

/** What processes of a cluster say to each other. A message may be lost; whoever misses one hears that it was. */
export interface Bus {
  readonly self: NodeId;
  on(kind: string, handler: Handler): void;
  tell(to: NodeId, kind: string, packet: Packet): void;
  /**
   * Asks, again and again until there is an answer: whoever answers takes a repeated question for the same.
   * @throws {NoAnswerError} after `timeoutMs`, or when `to` is gone. @throws {AnsweredNoError}
   */
  ask(to: NodeId, kind: string, packet: Packet, timeoutMs?: number): Promise<Packet>;
  /** A process is gone: nobody waits for it. */
  forget(node: NodeId): void;
  close(): void;
}

const envelope = z.strictObject({
  type: z.enum(['tell', 'ask', 'reply', 'no']),
  kind: z.string(),
  id: z.number(),
  head: z.unknown(),
});
type Envelope = z.infer<typeof envelope>;

/** Questions that may be open at a time. */
const MOST_OPEN = 65_536;

interface Open {
  readonly to: NodeId;
  readonly kind: string;
  readonly settle: (outcome: Packet | Error) => void;
}

/** Questions and answers over streams of messages. */
export function openBus(streams: Streams, timing: Timing): Bus {
  const handlers = new Map<string, Handler>();
  const open = new Map<number, Open>();
  const inWork = new Set<string>();
  let nextId = 1;
  function send(to: NodeId, { head, ...rest }: Envelope, parts: readonly Uint8Array[]): void {
    const plain = pack({ head: { ...rest, head: head ?? null }, parts });
    if (to === streams.self) {
      // In order, and never within the call that sent it.
      setImmediate(() => receive(streams.self, plain));
      return;
    }
    streams.send(to, plain);
    wipe(plain);
  }
  function receive(from: NodeId, plain: Uint8Array): void {
    const { head, parts } = unpack(plain);
    const message = envelope.parse(head);
    const packet = { head: message.head, parts };
    switch (message.type) {
      case 'tell': {
        void Promise.resolve(handlers.get(message.kind)?.(from, packet)).finally(() => wipe(plain));
        return;
      }
      case 'ask':
        void answer(from, message, packet).finally(() => wipe(plain));
        return;
      case 'reply': {
        const copies = parts.map((part) => secretCopy(part));
        wipe(plain);
        open.get(message.id)?.settle({ head: message.head, parts: copies });
        return;
      }
      case 'no':
        open.get(message.id)?.settle(new AnsweredNoError(message.kind, String(message.head)));
    }
  }
  async function answer(from: NodeId, { kind, id }: Envelope, packet: Packet): Promise<void> {
    const name = `${from} ${id}`;
    // Asked again while it is in work: the one answer is for both.
    if (inWork.has(name)) return;
    inWork.add(name);
    try {
      const reply = await handlers.get(kind)?.(from, packet);
      if (reply === undefined) throw new Error('nobody here answers that');
      send(from, { type: 'reply', kind, id, head: reply.head }, reply.parts);
    } catch (error) {
      send(from, { type: 'no', kind, id, head: error instanceof Error ? error.message : String(error) }, []);
    } finally {
      inWork.delete(name);
    }
  }
  streams.onMessage(receive);
  return {
    self: streams.self,
    on: (kind, handler) => void handlers.set(kind, handler),
    tell: (to, kind, { head, parts }) => send(to, { type: 'tell', kind, id: 0, head }, parts),
    ask(to, kind, { head, parts }, timeoutMs = timing.askMs) {
      if (open.size >= MOST_OPEN) return Promise.reject(new NoAnswerError(kind, `${MOST_OPEN} are open`));
      const id = nextId++;
      return new Promise((resolve, reject) => {
        const ask = (): void => send(to, { type: 'ask', kind, id, head }, parts);
        const again = setInterval(ask, timing.againMs);
        const tooLate = setTimeout(
          () => settle(new NoAnswerError(kind, `not in ${timeoutMs} ms`)),
          timeoutMs,
        );
        const settle = (outcome: Packet | Error): void => {
          clearInterval(again);
          clearTimeout(tooLate);
          open.delete(id);
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
        };
        open.set(id, { to, kind, settle });
        ask();
      });
    },
    forget(node) {
      for (const { to, kind, settle } of open.values())
        if (to === node) settle(new NoAnswerError(kind, 'the process that was asked is gone'));
    },
    close() {
      for (const { kind, settle } of open.values())
        settle(new NoAnswerError(kind, 'this process lets go of its cluster'));
    },
  };
}
