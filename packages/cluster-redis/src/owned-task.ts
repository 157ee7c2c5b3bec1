import {
  createCoordination,
  RegistryError,
  TaskStoppedError,
  type Coordination,
  type CoordinationEvent,
  type CoordinationOptions,
  type TaskConfig,
  type TaskLease,
} from '@tutti/coordination';
import { decodeClientMessage, encodeMessage, type Reply } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import type { Bus } from './bus.ts';
import { lettersPacket, ownerOutbox, type OwnerOutbox } from './owner-outbox.ts';
import { ownerSums, type OwnerSums } from './owner-sums.ts';
import type { Packet } from './packet.ts';
import type { NodeId } from './sealing.ts';
import type { Timing } from './timing.ts';
import type { HeadOf } from './words.ts';

/** How often gateways hear how a phase comes on, in milliseconds. */
const PROGRESS_MS = 250;

/** What a task is run with by the process that owns it. */
export interface OwnedTaskOptions {
  readonly config: TaskConfig;
  readonly lease: TaskLease;
  readonly coordination: CoordinationOptions;
  readonly bus: Bus;
  readonly timing: Timing;
  readonly gateways: () => readonly NodeId[];
  readonly salt: () => string;
  /** The lease is lost, or the journal cannot be written: this process must let go. */
  readonly onLost: (error: Error) => void;
}

/** A task that this process runs: the round code of one machine, with gateways where sockets were. */
export class OwnedTask {
  readonly epoch: number;
  readonly #options: OwnedTaskOptions;
  readonly #outbox: OwnerOutbox;
  readonly #sums: OwnerSums;
  readonly #told = new Set<NodeId>();
  #coordination: Coordination | undefined;
  #stopped = false;
  #progress: ReturnType<typeof setTimeout> | undefined;
  #phase = '';
  #renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(options: OwnedTaskOptions) {
    const { config, lease, bus, timing, salt, gateways } = options;
    this.#options = options;
    this.epoch = lease.epoch;
    this.#outbox = ownerOutbox((gateway, letters) => {
      if (this.#stopped) return;
      const { head, parts } = lettersPacket(letters);
      bus.tell(gateway, 'deliver', { head: { ...this.#ofTask, ...head }, parts });
    });
    this.#sums = ownerSums({
      ...{ task: config.name, epoch: lease.epoch, bus, timing, salt },
      isAlive: (gateway) => gateways().includes(gateway),
    });
  }

  get name(): string {
    return this.#options.config.name;
  }

  get #ofTask(): { task: string; epoch: number } {
    return { task: this.name, epoch: this.epoch };
  }

  get #engine(): Coordination {
    if (this.#coordination === undefined || this.#stopped)
      throw new Error(`task ${this.name} is not run here`);
    return this.#coordination;
  }

  /** Replays the task's journal, ends what its last owner left open, and tells gateways that it is run here. */
  async open(): Promise<void> {
    const { config, lease, coordination } = this.#options;
    this.#renewLater();
    const { store, blobs } = lease;
    const outbox = this.#outbox;
    const sums = this.#sums;
    this.#coordination = await createCoordination({
      ...{ ...coordination, tasks: [config], store, blobs, outbox, sums },
    });
    this.#coordination.subscribe((event) => this.#hear(event));
    this.tellNew();
  }

  /** Tells how things stand to gateways that do not know it yet. */
  tellNew(): void {
    if (this.#coordination === undefined || this.#stopped) return;
    const gateways = this.#options.gateways();
    // One that seemed gone may be back: its clients were forgotten here, and it does not know that.
    for (const gateway of gateways) if (!this.#told.has(gateway)) this.sync(gateway);
    this.#told.clear();
    for (const gateway of gateways) this.#told.add(gateway);
  }

  /** Messages from a gateway, or all, may have been lost: asks who is there. */
  sync(gateway?: NodeId): void {
    if (this.#coordination === undefined || this.#stopped) return;
    for (const one of gateway === undefined ? this.#options.gateways() : [gateway]) {
      this.#tellNews([one]);
      this.#options.bus.tell(one, 'sync', { head: this.#ofTask, parts: [] });
    }
  }

  /** A gateway says who is there. It may serve the task only now, and have heard nothing of it before: it is told how things stand. */
  roster(gateway: NodeId, { clients }: HeadOf<'roster'>): void {
    this.#tellNews([gateway]);
    const there = new Set(clients.map(([client]) => client));
    for (const [client, place] of this.#outbox.places)
      if (place === gateway && !there.has(client)) this.gone(gateway, client);
    for (const [client, waits] of clients) {
      this.present(gateway, client);
      if (waits) void this.#engine.handle(client, { type: 'check-in' });
    }
  }

  present(gateway: NodeId, client: ClientId): void {
    this.#outbox.places.set(client, gateway);
    this.#engine.connected(this.name, client);
  }

  gone(gateway: NodeId, client: ClientId): void {
    // It may be at another gateway by now.
    if (this.#outbox.places.get(client) !== gateway) return;
    this.#outbox.places.delete(client);
    this.#engine.disconnected(client);
  }

  rests(gateway: NodeId, client: ClientId): void {
    if (this.#outbox.places.get(client) !== gateway) return;
    // It no longer waits, but its place is kept: it may be selected already, and is told in a moment.
    this.#engine.disconnected(client);
    this.#engine.connected(this.name, client);
  }

  gatewayLost(gateway: NodeId): void {
    this.#told.delete(gateway);
    for (const [client, place] of this.#outbox.places) if (place === gateway) this.gone(gateway, client);
  }

  /** A client's message, answered. */
  async message(gateway: NodeId, client: ClientId, bytes: Uint8Array | undefined): Promise<Packet> {
    if (this.#outbox.places.get(client) !== gateway) this.present(gateway, client);
    return replyPacket({}, await this.#engine.handle(client, decodeClientMessage(bytes)));
  }

  /** Whether a client may upload. */
  async mayUpload({ client, attempt }: HeadOf<'upload'>): Promise<Packet> {
    const ticket = this.#outbox.ticketOf(client, attempt);
    const isClaimed = this.#sums.holderOf(attempt, client) !== undefined;
    if (ticket !== undefined && !isClaimed) return { head: { answer: 'ticket', ticket }, parts: [] };
    const reply = isClaimed
      ? await this.#engine.inputAdded(client, attempt)
      : await this.#engine.handle(client, { ...EMPTY_FRAME, attempt });
    return replyPacket({ answer: 'reply' }, reply);
  }

  /** A gateway has a client's whole input. It counts once, as that of the gateway that had it first. */
  async count(gateway: NodeId, { client, attempt }: HeadOf<'count'>): Promise<Packet> {
    const isHere = this.#sums.claim(attempt, client, gateway) === gateway;
    const reply = await this.#engine.inputAdded(client, attempt);
    if (reply.type !== 'accepted' && isHere) this.#sums.release(attempt, client);
    return replyPacket({ isHere }, reply);
  }

  async evaluate(): Promise<Packet> {
    return { head: await this.#engine.evaluate(this.name), parts: [] };
  }

  /** Pauses, resumes or stops it; one that was stopped stays so. */
  async setRun({ run, by }: HeadOf<'run'>): Promise<Packet> {
    try {
      await this.#engine.setRun(this.name, run, by);
      return { head: { isStopped: false }, parts: [] };
    } catch (error) {
      if (error instanceof TaskStoppedError) return { head: { isStopped: true }, parts: [] };
      throw error;
    }
  }

  /** Puts a model on a channel, or takes the last one off it. */
  async changeChannel({ channel, model, by }: HeadOf<'channel'>): Promise<Packet> {
    try {
      await this.#engine.registry(this.name)?.change({ channel, model, by });
      return { head: { refused: null }, parts: [] };
    } catch (error) {
      if (error instanceof RegistryError) return { head: { refused: error.reason }, parts: [] };
      throw error;
    }
  }

  drain(): Promise<void> {
    return this.#coordination?.drain() ?? Promise.resolve();
  }

  /** Ends what is going on, by name, and lets go of the task. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    await this.#coordination?.close().catch(() => undefined);
    // What clients are told of the end leaves in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    await this.abandon();
  }

  /** Lets go at once: another process may run the task already. Nothing more is said, and what would be written is refused. */
  async abandon(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#progress);
    clearTimeout(this.#renewal);
    await this.#coordination?.close().catch(() => undefined);
    await this.#options.lease.release().catch(() => undefined);
  }

  #renewLater(): void {
    const { lease, timing, onLost } = this.#options;
    this.#renewal = setTimeout(() => {
      lease.renew().then(
        (isHeld) => {
          if (isHeld && !this.#stopped) this.#renewLater();
          else if (!this.#stopped) onLost(new Error('another process has its lease'));
        },
        (error: unknown) =>
          !this.#stopped && onLost(error instanceof Error ? error : new Error(String(error))),
      );
    }, timing.lookMs);
  }

  #hear(event: CoordinationEvent): void {
    if (this.#stopped) return;
    if (event.type === 'failed') {
      if (event.fatal) this.#options.onLost(event.error);
      return;
    }
    if (event.type !== 'progress') return this.#tellNews(this.#options.gateways(), event);
    // Each answer of a client is progress: gateways hear of the first of a phase, and then now and then.
    const isNewPhase = event.status.phase !== this.#phase;
    this.#phase = event.status.phase;
    if (isNewPhase) return this.#tellNews(this.#options.gateways(), event);
    this.#progress ??= setTimeout(() => {
      this.#progress = undefined;
      const status = this.#coordination?.status(this.name);
      if (status !== undefined && !this.#stopped)
        this.#tellNews(this.#options.gateways(), { type: 'progress', task: this.name, status });
    }, PROGRESS_MS);
  }

  #tellNews(gateways: readonly NodeId[], event?: CoordinationEvent): void {
    const info = this.#coordination?.taskInfo(this.name);
    const status = this.#coordination?.status(this.name);
    if (info === undefined || status === undefined) return;
    const head = { ...this.#ofTask, info, status, ...(event === undefined ? {} : { event }) };
    for (const gateway of gateways) this.#options.bus.tell(gateway, 'news', { head, parts: [] });
  }
}

/** Asks for no more than whether a frame would be taken. */
const EMPTY_FRAME = {
  ...({ type: 'masked-input', index: 0, count: 1, totalBytes: 3 } as const),
  bytes: new Uint8Array(0),
} as const;

const replyPacket = (head: object, reply: Reply): Packet => ({
  head,
  parts: [encodeMessage<never>(reply as never)],
});
