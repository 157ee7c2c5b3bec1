import { toHex } from '@tutti/base';
import { roundDigest, type ClientMessage, type RoundDescription } from '@tutti/protocol';
import type { ClientId } from '@tutti/secure-aggregation';
import type { AttemptEvent, Effect } from './attempt-state.ts';
import { openAttempt } from './attempt.ts';
import { currentConfig } from './commit.ts';
import { describeAttempt } from './describe.ts';
import type { Running } from './ending.ts';
import { memberCheck, OPEN } from './identity.ts';
import { JOURNAL_VERSION } from './journal.ts';
import type { Cohort } from './selection.ts';
import type { PublishedSlice } from './slice.ts';
import type { TaskParts } from './task-parts.ts';
import type { Trial } from './trial.ts';
import { Uploads } from './uploads.ts';

/** How attempts begin: what is written to the journal before anybody is asked. */

/** What an attempt is about, besides its purpose. */
export interface Subject {
  /** What of the catalogue travels. */
  readonly slice?: PublishedSlice | undefined;
  /** A candidate that is looked at. */
  readonly trial?: Trial | undefined;
}

/** The next attempt's description. @param metrics names of the metric lanes, where they are others than usual. */
export function describeNext(
  { config, log: { history }, layoutHash, catalogueHash }: TaskParts,
  purpose: RoundDescription['purpose'],
  planned: number,
  { slice, metrics }: { slice?: PublishedSlice | undefined; metrics?: string[] } = {},
): RoundDescription {
  return describeAttempt(currentConfig(config, history), {
    purpose,
    round: purpose === 'train' ? history.round + 1 : Math.max(1, history.round),
    attempt: history.attempt + 1,
    previousDigest: history.previousDigest,
    modelHash: history.modelHash ?? '',
    layoutHash,
    catalogueHash,
    planned,
    ...(slice === undefined ? {} : { slice: slice.description }),
    ...(metrics === undefined ? {} : { metrics }),
  });
}

/** Opens an attempt: its clients no longer wait, and the journal names it. */
export async function beginAttempt(
  { config, lobby, log, ports }: TaskParts,
  description: RoundDescription,
  { clients }: Cohort,
  { slice, trial }: Subject,
): Promise<{ running: Running; effects: readonly Effect[]; selected: ReadonlySet<ClientId> }> {
  const { clock, crypto } = ports;
  const { round, attempt, identity, purpose } = description;
  const digest = roundDigest(description, crypto);
  await log.append({
    ...{ v: JOURNAL_VERSION, type: 'attempt-opened', atMs: clock.now(), round, attempt },
    ...{ identity: identity.level, purpose, digest: toHex(digest) },
  });
  // Where it cannot be written they wait on, for whoever goes on with the task.
  lobby.take(clients);
  const selected = new Set(clients);
  const nowMs = clock.now();
  const checkMember = memberCheck(config.identity ?? OPEN, description, { crypto, nowMs });
  const opened = openAttempt({ description, digest, crypto, checkMember, selected });
  const running: Running = {
    attempt: opened.attempt,
    openedAtMs: nowMs,
    trafficBefore: ports.traffic(),
    uploads: new Uploads(description.lanes.length, description.wordBits, ports.halfOpenUploads),
    slice,
    trial,
    cancelTimer: () => undefined,
  };
  return { running, effects: opened.effects, selected };
}

/** Messages that say something to an attempt by themselves. */
type Said = Exclude<ClientMessage, { type: 'hello' | 'check-in' | 'masked-input' }>;

/** What a client says to an attempt, as an event. */
export function eventOf(client: ClientId, message: Said): AttemptEvent {
  switch (message.type) {
    case 'decline':
      return { type: 'declined', client, reason: message.reason };
    case 'advertise-keys':
      return { type: 'ready', client, bundle: message.bundle };
    case 'reveal-nonce':
      return { type: 'nonce', client, nonce: message.nonce };
    case 'share-keys':
      return { type: 'shares', client, shares: message.shares };
    case 'sign-survivors':
      return { type: 'signature', client, signature: message.signature };
    case 'unmask':
      return { type: 'unmask', client, shares: message.shares };
  }
}
