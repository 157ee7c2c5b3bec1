import type { Outbox } from '@tutti/coordination';
import { encodeMessage, type CoordinatorMessage } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import type { NodeId } from './sealing.ts';
import type { Ticket } from './words.ts';

/** A message to clients at one gateway. */
export interface Letter {
  readonly clients: ClientId[];
  readonly message: CoordinatorMessage;
  /** What a client that is asked for its input may upload. */
  readonly ticket?: Ticket;
}

/** Most letters that travel together. */
const MOST_LETTERS = 256;

/** What an owner sends to clients, sorted by the gateway where they are. */
export interface OwnerOutbox extends Outbox {
  /** The gateway where a client is. */
  readonly places: Map<ClientId, NodeId>;
  /** What a client was asked to upload for an attempt. */
  ticketOf(client: ClientId, attempt: number): Ticket | undefined;
}

/** @param post takes letters for one gateway, in order. */
export function ownerOutbox(post: (gateway: NodeId, letters: readonly Letter[]) => void): OwnerOutbox {
  const places = new Map<ClientId, NodeId>();
  const waiting = new Map<NodeId, Letter[]>();
  const tickets = new Map<ClientId, Ticket>();
  let described: { attempt: number; words: number; wordBits: Ticket['wordBits'] } | undefined;

  function flush(): void {
    for (const [gateway, letters] of waiting)
      for (let at = 0; at < letters.length; at += MOST_LETTERS)
        post(gateway, letters.slice(at, at + MOST_LETTERS));
    waiting.clear();
  }

  /** Notes what the attempt's inputs are like, and who is asked for one. */
  function note(client: ClientId, message: CoordinatorMessage): Ticket | undefined {
    if (message.type === 'describe' && message.description.attempt !== described?.attempt) {
      const { attempt, lanes, wordBits } = message.description;
      described = { attempt, words: lanes.length, wordBits };
      tickets.clear();
    }
    if (message.type !== 'relay-shares' || described?.attempt !== message.attempt) return undefined;
    const ticket = { ...described, group: message.group };
    tickets.set(client, ticket);
    return ticket;
  }

  return {
    places,
    ticketOf(client, attempt) {
      const ticket = tickets.get(client);
      return ticket?.attempt === attempt ? ticket : undefined;
    },
    send(client, message) {
      const ticket = note(client, message);
      const gateway = places.get(client);
      if (gateway === undefined) return;
      if (waiting.size === 0) queueMicrotask(flush);
      const letters = waiting.get(gateway) ?? [];
      waiting.set(gateway, letters);
      const last = letters.at(-1);
      // What goes to many is one object.
      if (last?.message === message && last.ticket?.group === ticket?.group) last.clients.push(client);
      else letters.push({ clients: [client], message, ...(ticket === undefined ? {} : { ticket }) });
    },
  };
}

/** Letters as they travel: what stands at the head, and the message of each beside it. */
export function lettersPacket(letters: readonly Letter[]): { head: object; parts: Uint8Array[] } {
  return {
    head: { letters: letters.map(({ clients, ticket }) => ({ clients, ...(ticket && { ticket }) })) },
    parts: letters.map(({ message }) => encodeMessage<never>(message as never)),
  };
}
