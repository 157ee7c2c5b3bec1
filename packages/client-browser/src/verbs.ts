import type { DevicePrivacy } from '@tutti/client';
import type {
  ConsentState,
  Interaction,
  Receipts,
  Recommendation,
  RecommenderOptions,
  RecommendOptions,
  SimilarOptions,
} from '@tutti/client/sdk';
import type { Eligibility, PageState } from './conditions.ts';

/** What a recommender is opened with, as it travels into a worker. */
export interface Settings {
  readonly coordinator: string;
  readonly task: string;
  readonly eligibility: Eligibility;
  /** Whether to take part without being told to. */
  readonly participate: boolean;
  readonly page?: PageState;
  readonly own: Pick<
    RecommenderOptions,
    'identity' | 'policy' | 'coordinatorKey' | 'heldOut' | 'answerEveryMs' | 'backOff'
  >;
}

/** What a recommender can be asked, as it travels into a worker: one argument, and a signal. */
export interface Verbs {
  record(interactions: Interaction | readonly Interaction[], signal: AbortSignal): Promise<void>;
  history(asked: undefined, signal: AbortSignal): Promise<readonly Interaction[]>;
  knows(item: string, signal: AbortSignal): Promise<boolean>;
  recommend(options: RecommendOptions, signal: AbortSignal): Promise<readonly Recommendation[]>;
  similar(
    asked: { readonly item: string } & SimilarOptions,
    signal: AbortSignal,
  ): Promise<readonly Recommendation[]>;
  refresh(asked: undefined, signal: AbortSignal): Promise<void>;
  privacy(asked: undefined, signal: AbortSignal): Promise<DevicePrivacy>;
  receipts(asked: undefined, signal: AbortSignal): Promise<Receipts>;
  grant(asked: undefined, signal: AbortSignal): Promise<void>;
  withdraw(asked: undefined, signal: AbortSignal): Promise<void>;
  consent(asked: undefined, signal: AbortSignal): Promise<ConsentState>;
  participate(asked: undefined, signal: AbortSignal): Promise<void>;
  stop(asked: undefined, signal: AbortSignal): Promise<void>;
  forget(asked: undefined, signal: AbortSignal): Promise<void>;
  close(asked: undefined, signal: AbortSignal): Promise<void>;
}

export type Verb = keyof Verbs;
export type Asked<V extends Verb> = Parameters<Verbs[V]>[0];
export type Answer<V extends Verb> = Awaited<ReturnType<Verbs[V]>>;
