/** How long things may take in a cluster, in milliseconds. Every wait has one of these as its deadline. */
export interface Timing {
  /** Between two signs of life of a process. */
  readonly beatMs: number;
  /** After so long without one, while Redis answers, a process counts as gone. */
  readonly lostMs: number;
  /** Between two looks at the leases of tasks; an owner renews its own as often. */
  readonly lookMs: number;
  /** A lease that was not renewed for so long may be taken. */
  readonly leaseMs: number;
  /** After so long without Redis an owner lets its tasks go: others may reach it. */
  readonly redisLostMs: number;
  /** A question may take so long. */
  readonly askMs: number;
  /** A question that was not answered is asked again after so long. */
  readonly againMs: number;
  /** A gateway may take so long to hand its part of a sum over. */
  readonly takeMs: number;
}

/** The times of a cluster whose tasks are taken over after so long without a sign of life of their owner. */
export const timingOf = (takeOverMs: number): Timing => ({
  beatMs: takeOverMs / 12,
  lostMs: (takeOverMs * 2) / 3,
  lookMs: takeOverMs / 6,
  leaseMs: takeOverMs,
  redisLostMs: 2.5 * takeOverMs,
  askMs: 10_000,
  againMs: takeOverMs / 3,
  takeMs: 15_000,
});

/** The default, in milliseconds. */
export const TAKE_OVER_MS = 6_000;
