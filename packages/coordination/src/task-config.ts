import type { Combination, StrategyConfig } from '@tutti/aggregation';
import type { Model } from '@tutti/model';
import type { AdaptiveClipping, Participation } from '@tutti/privacy';
import type { SliceShape } from '@tutti/protocol';
import { LARGEST_COMPLETE_GRAPH, type GraphRules, type Mode, type WordBits } from '@tutti/secure-aggregation';
import type { IdentityConfig } from './identity.ts';
import type { PromotionPolicy } from './judge.ts';

/** R and H: rows of a slice, and those of them that stay for a whole cycle. */
export type SliceSize = Omit<SliceShape, 'items'>;

/** What a task is run with. Every field is checked at once; see `checkTaskConfig`. */
export interface TaskConfig {
  readonly name: string;
  readonly model: Model;
  /** The catalogue as canonical JSON bytes; clients fetch it by its hash. */
  readonly catalogue: Uint8Array;
  /** For a content model, the vector that each item brings along, in the order of the catalogue; none for an item without. Nobody else is told. */
  readonly vectors?: readonly (readonly number[])[];
  readonly strategy: StrategyConfig;
  /** C: L2 norm that each model delta is scaled down to. */
  readonly clippingNorm: number;
  /** Updates to make. */
  readonly rounds: number;
  readonly cohort: {
    /** Clients wanted in a round. */
    readonly planned: number;
    /** Fewer than this many ready end an attempt. */
    readonly smallest: number;
    /** Clients that mask together at most. */
    readonly largestGroup: number;
    /** Clients asked to train for each one that is wanted, ≥ 1. */
    readonly overselection: number;
  };
  readonly deadlinesMs: {
    readonly train: number;
    /** Sparse groups; as for sharing keys when left out. */
    readonly revealNonces?: number;
    readonly shareKeys: number;
    readonly maskedInput: number;
    /** Active mode; as for unmasking when left out. */
    readonly survivors?: number;
    readonly unmask: number;
  };
  /** How the groups of a round become one update; default `mean`. The others need three groups. */
  readonly combine?: Combination;
  /** Whom masks protect against; default `semi-honest`. */
  readonly mode?: Mode;
  /** How groups are wired; by default one in twenty may collude or drop out, and groups up to 128 are complete. */
  readonly graph?: Omit<GraphRules, 'mode'>;
  readonly protection: 'secure' | 'plain';
  /** Bits of a word of a masked vector; `auto` (default): 24 where there is noise and they cost nothing, 32 otherwise. */
  readonly wordBits?: WordBits | 'auto';
  /** How sure clients can be of each other; default `open`. Active mode asks for `enrolled` or above. */
  readonly identity?: IdentityConfig;
  readonly noise: NoiseConfig;
  /** Lets the clipping norm follow the updates; `clippingNorm` is then the first one. */
  readonly adaptiveClipping?: AdaptiveClipping;
  /**
   * Before anything is trained, learns through a secure sum how many interactions a person has, and goes on as the task that follows from
   * it. That one differs in its numbers alone: another catalogue is another task.
   */
  readonly census?: (meanHistory: number) => TaskConfig;
  /** The mean history that this task followed from, where a census found it. */
  readonly countedHistory?: number;
  /** Whether metric lanes travel; they do unless it says no. Each costs a part of a privacy budget. */
  readonly metrics?: boolean;
  /**
   * Asks each client that waits with the same chance, independently, instead of a fixed number of them: the only selection
   * whose secrecy may be counted against readers of the model.
   */
  readonly poisson?: {
    /** N, all the clients that there are: each is asked with chance planned · overselection / N. */
    readonly population: number;
  };
  /** Seed of the first weights. */
  readonly seed: string;
  /** Checkpoints kept, the newest included. */
  readonly keepCheckpoints: number;
  /** Allows cohorts below 16, which masks do not protect. */
  readonly insecureSmallCohort?: boolean;
  /** Counts securely how many clients touched each item row, and averages each row over those. */
  readonly rowCounts?: boolean;
  /** What a training attempt carries of the catalogue (see `chooseSlice`); all of it when left out. */
  readonly slice?: SliceSize;
  /** Lets models be put on channels, judged and taken back by themselves; operators do it alone when left out. */
  readonly promotion?: PromotionPolicy;
  /** How long an attempt waits for more clients once enough for the smallest cohort wait, in milliseconds; default 2000. */
  readonly selectionMs?: number;
}

/** One in twenty may collude or drop out, and groups up to 128 are complete. */
const DEFAULT_GRAPH: Omit<GraphRules, 'mode'> = {
  corruptPermille: 50,
  dropoutPermille: 50,
  largestComplete: LARGEST_COMPLETE_GRAPH,
};

/** What decides the graph of a task's groups. */
export function rulesOf({ mode = 'semi-honest', graph = DEFAULT_GRAPH }: TaskConfig): GraphRules {
  return { mode, ...graph };
}

/** What noise a task's sums carry, and how it is counted. */
export interface NoiseConfig {
  /** z: standard deviation of the sum's noise over C; of each draw, for correlated noise. 0 for none. */
  readonly multiplier: number;
  /** The same for each metric lane, over 1; 0 for none. */
  readonly metricMultiplier: number;
  /** How it gets onto the sum; by the devices unless it says otherwise. */
  readonly mechanism?: MechanismConfig;
  /** Counts ε, and ends the task when the budget is spent. */
  readonly accounting?: {
    readonly dpDelta: number;
    readonly epsilonBudget?: number;
    /** Whose view the budget is for: the coordinator's, unless it adds the noise itself or this says readers of the model. */
    readonly against?: 'coordinator' | 'readers';
  };
  /** Members of a group that are assumed to add no noise, and to tell the coordinator all they know; 0 unless it says more. */
  readonly colluders?: number;
  /**
   * Part of its smallest group that has to survive, in (0, 1]: the noise is meant for so many, and a group with fewer is not
   * summed. What the threshold of secret sharing leaves, about two thirds, unless it asks for more.
   */
  readonly survivorShare?: number;
  /** How often a device may take part, and how many rounds apart. Each device keeps to it by itself. */
  readonly participation?: Participation;
}

/**
 * How noise gets onto a sum. `skellam`: each device adds its part, and the coordinator never sees a sum without it. The others are
 * added by the coordinator, which is trusted with the exact sum: `gaussian` anew each round; `tree` and `banded` correlated over
 * the rounds, so that most of it cancels in the sum of all updates.
 */
export type MechanismConfig =
  | { readonly name: 'skellam' | 'gaussian' }
  | { readonly name: 'tree'; readonly steps: number }
  | { readonly name: 'banded'; readonly steps: number; readonly coefficients: readonly number[] };
