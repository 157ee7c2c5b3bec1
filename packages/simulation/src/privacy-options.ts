/** How noise gets onto a sum: by the devices, or by a coordinator that is trusted with it. */
export const MECHANISMS = ['skellam', 'gaussian', 'tree', 'banded'] as const;
export type Mechanism = (typeof MECHANISMS)[number];

/** What a simulation is asked to guarantee, and how. */
export interface SimulationPrivacy {
  /** Default `skellam`. */
  readonly mechanism?: Mechanism;
  /** Finds the least noise with which all rounds together cost at most this; not beside a noise multiplier. */
  readonly epsilon?: number;
  /** δ; with it ε is counted. 1e-5 where `epsilon` is given. */
  readonly dpDelta?: number;
  /** Whose view `epsilon` is for; default the coordinator, or readers where it adds the noise. */
  readonly against?: 'coordinator' | 'readers';
  /** Lets the clipping norm follow this quantile of the updates. */
  readonly adaptiveClip?: number;
  /** Asks each person by a coin of their own, with `cohort` of them on average. */
  readonly poisson?: boolean;
  /** Most rounds that a person takes part in, and fewest rounds from one to the next. */
  readonly participations?: number;
  readonly separation?: number;
  /** Rounds of one tree or run of a matrix; default all. */
  readonly steps?: number;
  /** Bands of the matrix; default the best. */
  readonly bands?: number;
  /** Members of a group that are assumed to add no noise. */
  readonly colluders?: number;
  /** Loss and ranking lanes in each round; off by default where ε is counted, for they cost a part of it. */
  readonly metrics?: boolean;
}

/** Whether ε is counted. */
export const countsEpsilon = ({ epsilon, dpDelta }: SimulationPrivacy): boolean =>
  epsilon !== undefined || dpDelta !== undefined;
