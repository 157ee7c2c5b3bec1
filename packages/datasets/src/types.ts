/** What the items are, for showing them. Every list has one entry an item, in the order of the item indexes. */
export interface Catalogue {
  /** The ids that the source gives its items. Unique. */
  readonly ids: readonly string[];
  readonly titles?: readonly string[];
  readonly genres?: readonly (readonly string[])[];
  /** Numbers of each item's picture or text, all of one length, or none for an item. No file that is read here holds any. */
  readonly vectors?: readonly (readonly number[])[];
}

/**
 * Who interacted with what: rows of different lengths in flat arrays (CSR). Row u is
 * `values[offsets[u] .. offsets[u + 1])`.
 */
export interface Interactions {
  readonly users: number;
  readonly items: number;
  /** Length `users + 1`, not falling, from 0. */
  readonly offsets: Int32Array;
  /** Item indexes in [0, items). Distinct within a row; oldest first where times are known, else as in the file. */
  readonly values: Int32Array;
  /** When, beside `values`, in the source's unit (mostly Unix seconds). Absent where any line of the source has none. */
  readonly timestamps?: Float64Array;
  /** What the person gave each item, beside `values`, NaN where they gave nothing. Absent where the source has no ratings. */
  readonly ratings?: Float32Array;
}

/** One held-out item a person, and the items it is ranked among. */
export interface HeldOut {
  /** Item index for each user, −1 where there is none. */
  readonly positives: Int32Array;
  /**
   * Candidates for each user, as in the file: in the He et al. files a few rows hold the positive itself, which
   * ranking must drop. Empty where there is no positive. For ranking only: training draws its own negatives.
   */
  readonly negatives: readonly Int32Array[];
  /** What each user gave their held-out item, NaN where there is none. Absent where the source has no ratings. */
  readonly ratings?: Float32Array;
}

/** A data set, split. */
export interface SplitDataset {
  readonly name: string;
  readonly users: number;
  readonly items: number;
  /** All interactions: training, validation and test together, each counted once. */
  readonly interactions: number;
  readonly train: Interactions;
  /** For choosing rounds and hyper-parameters; absent where the files hold none. */
  readonly validation: HeldOut | undefined;
  readonly test: HeldOut;
  /**
   * True where validation items are in `train` too, as in the He et al. files of MovieLens 1M. Drop them from training
   * while choosing, put them back for the final fit, and say which fit a figure is from.
   */
  readonly validationInsideTrain: boolean;
  readonly catalogue: Catalogue;
  /** Names to show people by; only synthetic data has them. */
  readonly userNames?: readonly string[];
  /**
   * One small integer a person and attribute, 255 where it is not known; training never sees it. For auditing what a model gives away,
   * and for fairness between groups. `gender`: 0 for M, 1 for F.
   */
  readonly attributes?: Readonly<Record<string, Uint8Array>>;
}

/** Ratings as they were written, before a split. Lists named alike have equal lengths; entry n is line n. */
export interface Ratings {
  /** User index for each line. */
  readonly users: Int32Array;
  /** Item index for each line. */
  readonly items: Int32Array;
  /** NaN for a line without one; absent where no line has any. */
  readonly ratings?: Float64Array;
  /** Absent where the source has none; then the order of the lines counts as time. */
  readonly timestamps?: Float64Array;
  /** The source's id for each user index. */
  readonly userIds: readonly string[];
  /** The source's id for each item index. */
  readonly itemIds: readonly string[];
}

/** What is known of one item besides its interactions. */
export interface ItemText {
  readonly title: string;
  readonly genres: readonly string[];
}
