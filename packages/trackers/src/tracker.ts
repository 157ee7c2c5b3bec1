/** A moment of a run, as numbers that curves are drawn of. */
export interface Point {
  /** Counts up: the round. */
  readonly step: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** By name, such as `quality/hr_at_10`; every value is finite. */
  readonly scalars: Readonly<Record<string, number>>;
}

/** How a run ended. */
export type Ending = 'finished' | 'failed' | 'stopped';

/** Where points are kept for people to look at. */
export interface Tracker {
  /** What it is, for messages: no password stands in it. */
  readonly name: string;
  /** The largest step that it holds already, of an earlier process as well; −1 for none. */
  readonly lastStep: number;
  /** Keeps points, in the order of their steps. @throws {TrackerError} if it could not; some of them may be kept then. */
  write(points: readonly Point[]): Promise<void>;
  /** Says how the run ended, and closes. @throws {TrackerError} */
  close(ending: Ending): Promise<void>;
}

/** A run, for a tracker that keeps many. */
export interface RunName {
  /** Name for people. */
  readonly name: string;
  /** Equal for what goes on with the same run, after a restart. */
  readonly id: string;
  /** What it was run with, for tables: short texts. */
  readonly settings?: Readonly<Record<string, string>>;
}
