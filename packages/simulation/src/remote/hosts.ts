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
}

/** Where devices of a simulation live that has hosts. */
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
} as const;

export const NOTHING: Packet = { head: null, parts: [] };

/** Whether the other side answered that it could not: asking again would change nothing. */
export const saysNo = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'cluster/answered-no';
