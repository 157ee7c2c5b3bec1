import type { SecureRandom } from '@tutti/base';
import type { CoordinatorMessage, TaskInfo } from '@tutti/protocol';
import type { CryptoSuite, KeyPair } from '@tutti/secure-aggregation';
import type { Device } from './device.ts';
import type { ClientClock, Conditions, Transport } from './ports.ts';

/** What an app hears of taking part. Nothing in it tells what a person likes. */
export type ParticipationEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected'; readonly reason: string }
  | { readonly type: 'waiting'; readonly untilMs: number }
  | { readonly type: 'phase'; readonly attempt: number; readonly phase: CoordinatorMessage['type'] }
  | { readonly type: 'declined'; readonly attempt: number; readonly reason: string }
  | {
      readonly type: 'round';
      readonly attempt: number;
      readonly round: number | null;
      readonly outcome: 'committed' | 'aborted' | 'not-included';
      readonly reason: string | null;
      readonly survivors: number | null;
    }
  | { readonly type: 'refused'; readonly reason: string; readonly problem: string };

/** What taking part is made of. */
export interface ParticipationOptions {
  readonly device: Device;
  readonly task: TaskInfo;
  readonly identity: KeyPair;
  readonly crypto: CryptoSuite;
  readonly transport: Transport;
  readonly conditions: Conditions;
  readonly clock: ClientClock;
  readonly random: SecureRandom;
  readonly onEvent?: (event: ParticipationEvent) => void;
  /** Hears how many bytes each message has, and of which attempt it is. */
  readonly onSent?: (attempt: number | undefined, bytes: number) => void;
  /** First and longest pause before connecting again, in milliseconds; default 500 and 30000. */
  readonly backOff?: { readonly firstMs: number; readonly mostMs: number };
  /** The answer to a description leaves at a multiple of this after it came, so that its time says little of the person's data; default 250. */
  readonly answerEveryMs?: number;
  /**
   * How long training takes here for a person with many interactions, in milliseconds: measured on made-up ones, so that it says
   * nothing of this person. Answers leave no sooner than twice that allows; without it, no sooner than their own training did.
   */
  readonly usualMs?: () => Promise<number>;
}
