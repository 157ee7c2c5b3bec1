import { concatBytes } from '@tutti/base';

/** What one process says to another: JSON, and bytes beside it. */
export interface Packet {
  readonly head: unknown;
  readonly parts: readonly Uint8Array[];
}

/** Hears a kind of message and answers it. What it keeps of the parts it copies. */
export type Answering = (from: string, packet: Packet) => Promise<Packet> | Packet;

/**
 * Processes that reach each other, some of which host simulated devices: what spreads a simulation over machines. `openPeers` of
 * `@tutti/cluster-redis` gives them over Redis.
 */
export interface Peers {
  /** How others name this one. */
  readonly self: string;
  /** Those that host devices. */
  hosts(): readonly string[];
  /** Hears of processes that are gone. */
  onLost(listener: (lost: readonly string[]) => void): void;
  /** For how long nobody can be reached, in milliseconds; 0 while they can. */
  awayMs(): number;
  /** One answers a kind of message at a time: the last. */
  on(kind: string, answer: Answering): void;
  /** Asks, again and again, for some seconds. @throws where there is no answer, or one that says no. */
  ask(to: string, kind: string, packet: Packet): Promise<Packet>;
  /** Jobs of a kind, which any of them may do. */
  jobs(kind: string): Jobs;
}

/** Jobs that processes share. What stands in one is ids; what it is about is asked of who added it. */
export interface Jobs {
  /** Those whose id is there already are not added again. @throws where nobody can be reached. */
  add(jobs: readonly { readonly id: string; readonly data: unknown }[]): Promise<void>;
  /** Takes back what nobody has begun; never throws. */
  remove(ids: readonly string[]): Promise<void>;
  /** Does jobs, so many at a time, until it is closed. Each may be done more than once. */
  work(options: { readonly atOnce: number; readonly onJob: (data: unknown) => Promise<void> }): void;
  close(): Promise<void>;
}

/** Where devices of a simulation live that has hosts, or who ranks for people with a checkpoint. */
export interface SimulationHosts {
  readonly peers: Peers;
  /** The version of the program: hosts must be of the same. */
  readonly version: string;
  /** How long to wait where there is no host, at the start or later, in milliseconds; default 60000. */
  readonly waitMs?: number;
  /** Hears what becomes of hosts. */
  readonly onHost?: (line: string) => void;
}

/** What must be equal for figures to be equal to the last bit: the program, the JavaScript engine and the processor's kind. */
export const runtimeOf = (version: string): string =>
  `tutti ${version}, V8 ${process.versions.v8}, ${process.arch}`;

/** Bytes that are handed over at a time, of what is larger. */
export const PIECE_BYTES = 2 ** 22;

/** Kinds of messages. */
export const KINDS = {
  // A simulation asks a host.
  hello: 'simulation-hello',
  host: 'simulation-host',
  work: 'simulation-work',
  drop: 'simulation-drop',
  // A host asks a simulation.
  part: 'simulation-part',
  blob: 'simulation-blob',
  done: 'simulation-done',
  // A host asks whoever has a checkpoint evaluated.
  people: 'evaluation-people',
  peoplePart: 'evaluation-part',
  checkpoint: 'evaluation-checkpoint',
  ranked: 'evaluation-ranked',
} as const;

/** Jobs of evaluating checkpoints. */
export const EVALUATION_JOBS = 'evaluation';

export const NOTHING: Packet = { head: null, parts: [] };

/** What `bytes` bytes are put together of that are asked for a piece at a time. */
export async function inPieces(bytes: number, ask: (from: number) => Promise<Packet>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < bytes; from += PIECE_BYTES) {
    const [piece] = (await ask(from)).parts;
    if (piece?.length !== Math.min(PIECE_BYTES, bytes - from))
      throw new Error('a piece has the wrong length');
    pieces.push(piece);
  }
  return concatBytes(...pieces);
}

export const problemOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

/** Whether the other side answered that it could not: asking again would change nothing. */
export const saysNo = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'cluster/answered-no';
