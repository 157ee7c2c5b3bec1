import { wipe } from '@tutti/base';
import { Uploads } from '@tutti/coordination';
import { addUpload, wipeUpload, type ClientMessageOf, type Reply, type Upload } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import type { Ticket } from './words.ts';

/** Whole inputs that a gateway may hold while their owner is asked whether they count. */
const MOST_PENDING = 64;

/** A whole input of which its owner has not said yet whether it counts. */
interface Pending {
  readonly ticket: Ticket;
  readonly upload: Upload;
}

/** The sum of the inputs that this gateway added for a group. */
interface Part {
  readonly sum: Uint32Array;
  readonly clients: Set<ClientId>;
}

/** What the owner says of a whole input: the reply to its client, and whether it counts as this gateway's. */
export interface Counted {
  readonly reply: Reply;
  readonly isHere: boolean;
}

/** How a gateway asks a task's owner about inputs. */
export interface InputOwner {
  /** Whether the client may upload for an attempt: what, or why not. */
  mayUpload(client: ClientId, attempt: number): Promise<Ticket | Reply>;
  count(client: ClientId, ticket: Ticket): Promise<Counted>;
}

/**
 * The masked inputs of one task's clients at one gateway. An input is put together here, waits here for the moment in which its owner
 * counts it, is then added to this gateway's part of its group's sum, and is wiped: it never leaves this process.
 */
export class GatewayInputs {
  readonly #tickets = new Map<ClientId, Ticket>();
  readonly #uploads = new Map<string, Uploads>();
  readonly #pending = new Map<ClientId, Pending>();
  readonly #parts = new Map<string, Part>();
  #newest = 0;

  constructor(
    private readonly owner: InputOwner,
    private readonly bounds: { readonly nowMs: () => number; readonly halfOpenUploads?: number },
  ) {}

  /** Whether inputs are here that somebody counts on. */
  get isEmpty(): boolean {
    return this.#parts.size === 0 && this.#pending.size === 0;
  }

  /** A client was asked for its input. A newer attempt ends what is left of older ones. */
  expect(client: ClientId, ticket: Ticket): void {
    if (ticket.attempt > this.#newest) this.dropBefore(ticket.attempt);
    this.#newest = Math.max(this.#newest, ticket.attempt);
    this.#tickets.set(client, ticket);
  }

  /**
   * Takes a frame, whose bytes belong here from now on; answers as the owner itself would.
   * @throws where the owner does not answer.
   */
  async frame(client: ClientId, frame: ClientMessageOf<'masked-input'>): Promise<Reply> {
    let isTaken = false;
    try {
      const ticket = await this.#ticketOf(client, frame.attempt);
      if ('type' in ticket) return ticket;
      const pending = this.#pending.get(client);
      if (pending?.ticket.attempt === frame.attempt) return await this.#count(client, pending);
      if (this.#parts.get(nameOf(ticket))?.clients.has(client) === true) return { type: 'accepted' };
      if (frame.index === frame.count - 1 && this.#pending.size >= MOST_PENDING) return BUSY;
      const taken = this.#uploadsOf(ticket).take(client, frame, this.bounds.nowMs());
      isTaken = true;
      if (taken.kind === 'reply') return taken.reply;
      const whole = { ticket, upload: taken.upload };
      this.#pending.set(client, whole);
      return await this.#count(client, whole);
    } finally {
      if (!isTaken) wipe(frame.bytes);
    }
  }

  /**
   * This gateway's part of a group's sum, which must be of exactly `clients`; those of them that still wait here are added first. It
   * stays here until it is dropped, so that it can be asked for again.
   * @returns a copy; in words what does not fit.
   */
  part(
    key: { attempt: number; group: number; words: number },
    clients: readonly ClientId[],
  ): Uint32Array | string {
    const wanted = new Set(clients);
    for (const client of clients) {
      const pending = this.#pending.get(client);
      if (pending !== undefined && nameOf(pending.ticket) === nameOf(key)) this.#add(client, pending);
    }
    const part = this.#parts.get(nameOf(key));
    const have = part?.clients ?? new Set<ClientId>();
    const missing = clients.filter((client) => !have.has(client)).length;
    const surplus = [...have].filter((client) => !wanted.has(client)).length;
    if (missing + surplus > 0) return `${missing} inputs are missing and ${surplus} were not counted`;
    return part?.sum.slice() ?? new Uint32Array(key.words);
  }

  /** The inputs of a group are closed: what is not whole is wiped. */
  close(key: { attempt: number; group: number }): void {
    this.#uploads.get(nameOf(key))?.clear();
    this.#uploads.delete(nameOf(key));
    for (const [client, ticket] of this.#tickets)
      if (nameOf(ticket) === nameOf(key)) this.#tickets.delete(client);
  }

  /** Wipes what there is of a group. */
  drop(key: { attempt: number; group: number }): void {
    this.close(key);
    const part = this.#parts.get(nameOf(key));
    if (part !== undefined) wipe(part.sum);
    this.#parts.delete(nameOf(key));
    this.#wipePending(({ ticket }) => nameOf(ticket) === nameOf(key));
  }

  /** Wipes what there is of attempts before this one; of all, where it is left out. */
  dropBefore(attempt = Number.POSITIVE_INFINITY): void {
    const old = [...this.#parts.keys(), ...this.#uploads.keys(), ...[...this.#tickets.values()].map(nameOf)]
      .map(keyOf)
      .filter((key) => key.attempt < attempt);
    for (const key of old) this.drop(key);
    this.#wipePending(({ ticket }) => ticket.attempt < attempt);
  }

  async #ticketOf(client: ClientId, attempt: number): Promise<Ticket | Reply> {
    const known = this.#tickets.get(client);
    if (known?.attempt === attempt) return known;
    const answer = await this.owner.mayUpload(client, attempt);
    if (!('type' in answer)) this.expect(client, answer);
    return answer;
  }

  async #count(client: ClientId, whole: Pending): Promise<Reply> {
    const { reply, isHere } = await this.owner.count(client, whole.ticket);
    // Meanwhile the sum may have been taken, with this input in it; or the attempt may be over.
    if (this.#pending.get(client) !== whole) return reply;
    if (reply.type === 'accepted' && isHere) this.#add(client, whole);
    else this.#wipePending((pending) => pending === whole);
    return reply;
  }

  #add(client: ClientId, { ticket, upload }: Pending): void {
    const name = nameOf(ticket);
    const part = this.#parts.get(name) ?? {
      sum: new Uint32Array(ticket.words),
      clients: new Set<ClientId>(),
    };
    addUpload(part.sum, upload);
    part.clients.add(client);
    this.#parts.set(name, part);
    wipeUpload(upload);
    this.#pending.delete(client);
  }

  #uploadsOf(ticket: Ticket): Uploads {
    const known = this.#uploads.get(nameOf(ticket));
    if (known !== undefined) return known;
    const { words, wordBits } = ticket;
    const uploads = new Uploads(words, wordBits, this.bounds.halfOpenUploads);
    this.#uploads.set(nameOf(ticket), uploads);
    return uploads;
  }

  #wipePending(isGone: (pending: Pending) => boolean): void {
    for (const [client, pending] of this.#pending) {
      if (!isGone(pending)) continue;
      wipeUpload(pending.upload);
      this.#pending.delete(client);
    }
  }
}

const BUSY: Reply = {
  type: 'refused',
  reason: 'too-busy',
  field: 'message',
  problem: `${MOST_PENDING} inputs wait for their coordinator`,
};

const nameOf = ({ attempt, group }: { attempt: number; group: number }): string => `${attempt}/${group}`;

function keyOf(name: string): { attempt: number; group: number } {
  const [attempt = 0, group = 0] = name.split('/').map(Number);
  return { attempt, group };
}
