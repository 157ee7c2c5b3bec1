import { keepLocal, seededRandom } from '@tutti/base';
import { leavesAfterMs } from '@tutti/client';
import type { SplitDataset } from '@tutti/datasets';
import type { LoadedModel, Model } from '@tutti/model';
import { DEFAULT_NOISE_MULTIPLIER } from '@tutti/privacy';
import { recordAttempt } from './attempt.ts';
import { attributeInference } from './attribute.ts';
import { lyingCoordinator } from './lies.ts';
import { membershipInSum, membershipInVector, type SentVector } from './membership.ts';
import { deltaOf, type Victims } from './people.ts';
import { regrouping } from './regrouping.ts';
import type { AttackResult } from './types.ts';
import { wireSideChannels } from './wire.ts';

/** What is attacked. */
export interface AuditOptions {
  readonly model: Model;
  /** The checkpoint under attack; attacks on a model that has learned nothing find nothing. */
  readonly loaded: LoadedModel;
  /** The same checkpoint's shared part, which everybody knows. */
  readonly shared: Float32Array;
  readonly data: SplitDataset;
  /** C: L2 norm that every delta is scaled down to. */
  readonly clippingNorm: number;
  readonly seed: string | number;
  /** ε of the noise that the attack on the sum is held against; default 1. */
  readonly epsilon?: number;
  readonly onAttack?: (done: number, total: number, name: string) => void;
}

/** People in the round under attack: one group on the complete graph. */
const COHORT = 100;

/** People whose deltas an attribute is learned from, at most. */
const MOST_PEOPLE = 300;

/** How the devices delay their answers, in milliseconds; see `createParticipation`. */
const ANSWER_EVERY_MS = 250;

const ATTACKS = ['regrouping', 'membership', 'attribute', 'side channels', 'lies'] as const;

/** Runs every attack, with and without its defence. @returns what each came to, in a fixed order. */
export async function audit(options: AuditOptions): Promise<AttackResult[]> {
  const { model, loaded, shared, data, clippingNorm, seed, epsilon = 1, onAttack } = options;
  const random = seededRandom(`audit ${seed}`);
  const victims: Victims = { model, loaded, train: data.train, clippingNorm, random };
  const results: AttackResult[] = [];
  const begin = (at: number): void => onAttack?.(at, ATTACKS.length, ATTACKS[at] as string);
  begin(0);
  const users = Array.from({ length: Math.min(COHORT, data.users) }, (_, user) => user);
  const cohort = [];
  for (const user of users) cohort.push(await deltaOf(victims, user));
  results.push(...regrouping(victims, shared, cohort));
  begin(1);
  const sent = await sentVectors(victims, users);
  results.push(...membershipInVector(victims, cohort, sent));
  results.push(...(await membershipInSum(victims, cohort, epsilon)));
  begin(2);
  const everybody = [...cohort];
  for (let user = cohort.length; user < Math.min(MOST_PEOPLE, data.users); user++)
    everybody.push(await deltaOf(victims, user));
  for (const [name, values] of Object.entries(data.attributes ?? {}))
    results.push(...attributeInference(victims, everybody, sent, { name, values }));
  begin(3);
  results.push(...(await wireSideChannels(victims, (tookMs) => leavesAfterMs(tookMs, ANSWER_EVERY_MS))));
  begin(4);
  results.push(await lyingCoordinator(victims));
  onAttack?.(ATTACKS.length, ATTACKS.length, 'done');
  return results;
}

/** What each person's device really sends in a round: its masked vector's delta lanes. */
async function sentVectors(victims: Victims, users: readonly number[]): Promise<SentVector[]> {
  const { model, loaded, train, clippingNorm } = victims;
  const people = users.map((user) => ({
    user,
    positives: keepLocal(train.values.subarray(train.offsets[user], train.offsets[user + 1])),
  }));
  const { clients } = await recordAttempt({
    model,
    loaded,
    people,
    clippingNorm,
    noiseMultiplier: DEFAULT_NOISE_MULTIPLIER,
  });
  return clients.flatMap(({ user, words }) =>
    words === undefined ? [] : [{ user, words: words.subarray(0, model.layout.length) }],
  );
}
