import type { IdentityLevel } from '@tutti/identity';

/** One round, as the coordinator's own record tells it; metrics come from the secure lanes. */
export interface RoundReport {
  readonly round: number;
  readonly attempt: number;
  /** How sure the members could be of each other. */
  readonly identity: IdentityLevel;
  readonly outcome: 'committed' | 'aborted';
  readonly reason?: string;
  readonly cohort: number;
  readonly reported: number;
  readonly dropped: readonly { readonly phase: string; readonly count: number }[];
  readonly loss: number | null;
  readonly hr10: number | null;
  readonly ndcg10: number | null;
  /** Of a model of ratings alone. */
  readonly rmse?: number | null;
  readonly clippedShare: number | null;
  /** ε so far from both points of view, where it is counted. Nothing holds against a coordinator that adds the noise: null. */
  readonly epsilon: { readonly coordinator: number | null; readonly readers: number | null } | null;
  readonly upBytes: number;
  readonly downBytes: number;
  readonly seconds: number;
  readonly modelHash: string | null;
}

/** Where a simulation stands. */
export interface SimulationProgress {
  readonly step: 'rounds' | 'evaluation' | 'baselines';
  /** Whole rounds (or people) done and in all; `within` is the part of the current round, 0 to 1. */
  readonly done: number;
  readonly total: number;
  readonly within: number;
  readonly phase: string;
}

/** Ranking quality at 10 of one kind of candidate set. */
export interface Quality {
  readonly hr10: number;
  readonly ndcg10: number;
  readonly recall10: number;
  readonly precision10: number;
  readonly f1At10: number;
  /** Over the whole list. */
  readonly mrr: number;
  /** Within the first 10. */
  readonly mrr10: number;
}

/** Sampled (1 positive + the file's negatives) and full (every item outside training) ranking, side by side. */
export interface QualityPair {
  readonly sampled: Quality;
  readonly full: Quality;
}

/** Quality, and what everybody's lists of 10 are like; formulas and sources are at `ListMetrics` of `@tutti/evaluation`. */
export interface QualityReport extends QualityPair {
  readonly lists: {
    readonly coverage: number;
    readonly novelty: number;
    readonly popularityLift: number;
    readonly gini: number;
  };
}

/** What a simulation's noise guarantees. The unit is one person's every update; neighbours have one person more or less. */
export interface PrivacyResult {
  readonly mechanism: string;
  /** z of the delta lanes: of each draw, for correlated noise. */
  readonly noiseMultiplier: number;
  readonly delta: number;
  /** ε of all rounds: against a coordinator that sees who takes part, and against readers of the model. */
  readonly epsilon: { readonly coordinator: number | null; readonly readers: number };
  /** q, where it may be counted. */
  readonly sampling: number | null;
  readonly participation: { readonly most: number; readonly separation: number } | null;
}

/** What a simulation found. `wallSeconds` and `clientsPerSecond` depend on the machine; nothing else does. */
export interface SimulationResult {
  readonly model: Readonly<Record<string, unknown>>;
  readonly dataset: {
    readonly name: string;
    readonly users: number;
    readonly items: number;
    readonly interactions: number;
  };
  readonly protocol: 'plain' | 'secure';
  readonly fit: string;
  readonly strategy: Readonly<Record<string, unknown>>;
  readonly rounds: readonly RoundReport[];
  readonly final: QualityReport;
  readonly baselines: Readonly<Record<string, QualityReport>>;
  /** Of a model of ratings: its RMSE on test items, and that of predicting the mean of all for each. */
  readonly rmse?: { readonly test: number | null; readonly mean: number | null };
  readonly bytes: { readonly upPerClientRound: number; readonly downPerClientRound: number };
  /** What the noise guarantees; null where ε is not counted. */
  readonly privacy: PrivacyResult | null;
  readonly clientsPerSecond: number;
  readonly wallSeconds: number;
  readonly seed: string | number;
  readonly checkpointHash: string;
  readonly backend: string;
  readonly notes: readonly string[];
}
