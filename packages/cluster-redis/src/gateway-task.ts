import {
  decodeCoordinatorMessage,
  decodeReply,
  encodeMessage,
  type ClientMessage,
  type CoordinatorMessage,
  type Reply,
} from '@tutti/protocol';
import {
  TaskStoppedError,
  type ChannelRequest,
  type CoordinationEvent,
  type EvaluationRecord,
  type Outbox,
  type RegistryRefusal,
  type RunState,
  type Store,
} from '@tutti/coordination';
import type { ClientId } from '@tutti/secure-aggregation';
import type { Bus } from './bus.ts';
import { NoAnswerError } from './errors.ts';
import { GatewayInputs, type Counted } from './gateway-inputs.ts';
import type { Packet } from './packet.ts';
import type { NodeId } from './sealing.ts';
import { TaskView } from './task-view.ts';
import { bytesOfWords } from './word-bytes.ts';
import {
  channelAnswer,
  countAnswer,
  headOf,
  runAnswer,
  uploadAnswer,
  type HeadOf,
  type Kind,
  type Ticket,
} from './words.ts';

/** When a client asks again whose task nobody runs at the moment, in milliseconds; it waits here until somebody does. */
const NOBODY_MS = 20_000;
/** When a client comes again whose gateway is about to stop, in milliseconds. */
const DRAINING_MS = 5_000;
/** How long a measurement of everybody may take, in milliseconds. */
const EVALUATE_MS = 600_000;

/** Who runs a task. */
interface OwnerOf {
  readonly node: NodeId;
  readonly epoch: number;
}

/** A client that is connected here. */
interface Present {
  /** It checked in, and hears of the next round. */
  waits: boolean;
  /** The attempt that it was asked for, while it goes on. */
  attempt: number | undefined;
}

/** What carries a task's clients to its owner. */
export interface GatewayTaskOptions {
  readonly name: string;
  readonly bus: Bus;
  readonly outbox: Outbox;
  readonly store: Pick<Store, 'readJournal'>;
  readonly bounds: { readonly nowMs: () => number; readonly halfOpenUploads?: number };
  readonly emit: (event: CoordinationEvent) => void;
}

/** One task at a gateway: its clients, their inputs, and what its owner tells. */
export class GatewayTask {
  readonly view: TaskView;
  readonly inputs: GatewayInputs;
  readonly #options: GatewayTaskOptions;
  readonly #clients = new Map<ClientId, Present>();
  #owner: OwnerOf | undefined;
  #draining = false;

  constructor(options: GatewayTaskOptions) {
    this.#options = options;
    this.view = new TaskView(options.name, options.store);
    const owner = {
      mayUpload: (client: ClientId, attempt: number) => this.#mayUpload(client, attempt),
      count: (client: ClientId, ticket: Ticket) => this.#count(client, ticket),
    };
    this.inputs = new GatewayInputs(owner, options.bounds);
  }

  /** Who runs the task, as far as this gateway has heard. */
  get owner(): OwnerOf | undefined {
    return this.#owner;
  }

  emit(event: CoordinationEvent): void {
    this.#options.emit(event);
  }

  get #name(): string {
    return this.#options.name;
  }

  connected(client: ClientId): void {
    this.#clients.set(client, { waits: false, attempt: undefined });
    this.#tell('present', { task: this.#name, client });
  }

  disconnected(client: ClientId): void {
    this.#clients.delete(client);
    this.#tell('gone', { task: this.#name, client });
  }

  /** A client's message, answered by the task's owner; inputs stay here. */
  async handle(client: ClientId, message: ClientMessage): Promise<Reply> {
    try {
      if (message.type === 'masked-input') return await this.inputs.frame(client, message);
      if (message.type === 'check-in') return await this.#checkIn(client, message);
      return await this.#forward(client, message);
    } catch (error) {
      if (error instanceof NoAnswerError) return BUSY;
      throw error;
    }
  }

  async evaluate(): Promise<EvaluationRecord> {
    const { head } = await this.#ask('evaluate', { task: this.#name }, [], EVALUATE_MS);
    return head as EvaluationRecord;
  }

  /** @throws {TaskStoppedError} if the task was stopped before. @throws {NoAnswerError} */
  async setRun(run: RunState, by: string): Promise<void> {
    const { head } = await this.#ask('run', { task: this.#name, run, by }, []);
    if (runAnswer.parse(head).isStopped) throw new TaskStoppedError(this.#name, 'stopped');
  }

  /** Has a channel of models changed. @returns why it could not be. @throws {NoAnswerError} */
  async changeChannel(request: ChannelRequest): Promise<RegistryRefusal | undefined> {
    const { head } = await this.#ask('channel', { task: this.#name, ...request }, []);
    return channelAnswer.parse(head).refused ?? undefined;
  }

  /** Sends newcomers away, and has nobody asked any more who waits here; those in an attempt go on with it. */
  turnAway(): void {
    this.#draining = true;
    for (const [client, { attempt }] of this.#clients)
      if (attempt === undefined) this.#tell('rests', { task: this.#name, client });
  }

  /** Whether an owner's word counts: it is the newest that this gateway has heard of. A newer one ends what the one before began. */
  isFrom(node: NodeId, epoch: number): boolean {
    const known = this.#owner;
    if (known !== undefined && epoch < known.epoch) return false;
    if (known === undefined || epoch > known.epoch) this.#follow({ node, epoch });
    return this.#owner?.node === node;
  }

  /** The process that runs the task is gone; another one will say that it runs it. */
  ownerLost(node: NodeId): void {
    if (this.#owner?.node === node) this.#options.bus.forget(node);
  }

  /** Says who is here. */
  sync(): void {
    const clients = [...this.#clients]
      .filter(([, { attempt }]) => !this.#draining || attempt !== undefined)
      .map(([id, { waits }]) => [id, waits && !this.#draining] as const);
    this.#tell('roster', { task: this.#name, clients });
  }

  deliver({ letters }: HeadOf<'deliver'>, parts: readonly Uint8Array[]): void {
    letters.forEach(({ clients, ticket }, at) => {
      const message = decodeCoordinatorMessage(parts[at]);
      for (const client of clients) this.#pass(client, message, ticket);
    });
  }

  /** On its way to a client: what it means for this gateway. */
  #pass(client: ClientId, message: CoordinatorMessage, ticket: Ticket | undefined): void {
    const present = this.#clients.get(client);
    if (present === undefined) return;
    if (message.type === 'describe') {
      present.attempt = message.description.attempt;
      present.waits = false;
    }
    if (message.type === 'relay-shares' && ticket !== undefined) this.inputs.expect(client, ticket);
    if (message.type === 'survivors') this.inputs.close(message);
    if (message.type === 'outcome') {
      present.attempt = undefined;
      this.inputs.dropBefore(message.attempt + 1);
    }
    this.#options.outbox.send(client, message);
  }

  /** A new owner knows nobody, and ended what the one before began: those in it hear so, as from a coordinator that restarted. */
  #follow(owner: OwnerOf): void {
    const before = this.#owner;
    this.#owner = owner;
    if (before !== undefined) this.#options.bus.forget(before.node);
    this.inputs.dropBefore();
    this.view.doubt();
    for (const [client, present] of this.#clients) {
      const { attempt } = present;
      present.attempt = undefined;
      if (attempt === undefined) continue;
      const ended = { outcome: 'aborted', attempt, reason: 'coordinator-restarted' } as const;
      this.#options.outbox.send(client, { type: 'outcome', ...ended });
    }
    this.sync();
  }

  async #checkIn(client: ClientId, message: ClientMessage): Promise<Reply> {
    if (this.#draining) return { type: 'later', retryAfterMs: DRAINING_MS };
    const present = this.#clients.get(client);
    let reply: Reply;
    try {
      reply = await this.#forward(client, message);
    } catch {
      // It waits here: whoever runs the task next hears of it.
      reply = { type: 'waiting', checkAgainMs: NOBODY_MS };
    }
    if (present !== undefined) present.waits = reply.type === 'waiting';
    return reply;
  }

  async #forward(client: ClientId, message: ClientMessage): Promise<Reply> {
    const bytes = encodeMessage<never>(message as never);
    const { parts } = await this.#ask('client', { task: this.#name, client }, [bytes]);
    return decodeReply(parts[0]);
  }

  async #mayUpload(client: ClientId, attempt: number): Promise<Ticket | Reply> {
    const { head, parts } = await this.#ask('upload', { task: this.#name, client, attempt }, []);
    const answer = uploadAnswer.parse(head);
    return answer.answer === 'ticket' ? answer.ticket : decodeReply(parts[0]);
  }

  async #count(client: ClientId, { attempt, group }: Ticket): Promise<Counted> {
    const { head, parts } = await this.#ask('count', { task: this.#name, client, attempt, group }, []);
    return { ...countAnswer.parse(head), reply: decodeReply(parts[0]) };
  }

  #tell<K extends Kind>(kind: K, head: unknown): void {
    if (this.#owner !== undefined) this.#options.bus.tell(this.#owner.node, kind, { head, parts: [] });
  }

  /** @throws {NoAnswerError} also where nobody runs the task. */
  #ask(kind: Kind, head: unknown, parts: readonly Uint8Array[], timeoutMs?: number): Promise<Packet> {
    if (this.#owner === undefined)
      return Promise.reject(new NoAnswerError(kind, `nobody runs task ${this.#name} at the moment`));
    return this.#options.bus
      .ask(this.#owner.node, kind, { head, parts }, timeoutMs)
      .catch((error: unknown) => {
        // An owner that answers that it is none has let go: there will be another one.
        throw error instanceof NoAnswerError ? error : new NoAnswerError(kind, String(error));
      });
  }
}

const BUSY: Reply = {
  type: 'refused',
  reason: 'too-busy',
  field: 'message',
  problem: 'the process that runs this task does not answer now; try again',
};

/** Hears what owners tell and ask. @param tasks of this gateway, by name. */
export function answerOwners(
  bus: Bus,
  tasks: ReadonlyMap<string, GatewayTask>,
  addPads: (part: Uint32Array, take: HeadOf<'take'>) => void,
): void {
  const owned = (from: NodeId, { task, epoch }: { task: string; epoch: number }): GatewayTask | undefined => {
    const found = tasks.get(task);
    return found?.isFrom(from, epoch) === true ? found : undefined;
  };
  bus.on('deliver', (from, { head, parts }) => {
    const deliver = headOf('deliver', head);
    owned(from, deliver)?.deliver(deliver, parts);
    return undefined;
  });
  bus.on('news', (from, { head }) => {
    const news = headOf('news', head);
    const task = owned(from, news);
    const { info, status, event } = news;
    task?.view.hear({ info, status, ...(event === undefined ? {} : { event }) }, (heard) => task.emit(heard));
    return undefined;
  });
  bus.on('drop', (from, { head }) => {
    const drop = headOf('drop', head);
    owned(from, drop)?.inputs.drop(drop);
    return undefined;
  });
  bus.on('sync', (from, { head }) => {
    owned(from, headOf('sync', head))?.sync();
    return undefined;
  });
  bus.on('take', (from, { head }): Packet => {
    const take = headOf('take', head);
    const part = owned(from, take)?.inputs.part(take, take.clients);
    if (part === undefined) throw new Error(`task ${take.task} has another owner`);
    if (typeof part === 'string') throw new Error(part);
    addPads(part, take);
    return { head: null, parts: [bytesOfWords(part)] };
  });
}
