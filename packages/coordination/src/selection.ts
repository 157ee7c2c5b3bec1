import type { ClientId } from '@tutti/secure-aggregation';
import type { TaskHistory } from './history.ts';
import type { Lobby } from './lobby.ts';
import { samplingOf } from './release.ts';
import { clientsAsked, isFinished } from './status.ts';
import type { TaskConfig } from './task-config.ts';
import type { Trial } from './trial.ts';

/** What an attempt is for, and with how many clients it may begin. */
export interface Wanted {
  readonly purpose: 'train' | 'evaluate';
  /** With so many waiting it begins at once. */
  readonly clients: number;
  /** With so many after a moment, and with fewer not at all. */
  readonly least: number;
  /** A candidate to look at instead, where enough of those who are asked for it wait. */
  readonly trial?: Trial;
}

/** What is asked for besides training. */
interface Asked {
  readonly connected: number;
  /** Whether somebody waits for a measurement of everybody. */
  readonly evaluation: boolean;
  /** A candidate that waits for its next look. */
  readonly trial: Trial | undefined;
}

/** Who is asked. */
export interface Cohort {
  readonly clients: readonly ClientId[];
  /** Clients that the attempt is described for. */
  readonly planned: number;
}

/** What the next attempt needs; undefined where there is nothing to do. */
export function wantedNext(
  config: TaskConfig,
  history: TaskHistory,
  { connected, evaluation, trial }: Asked,
): Wanted | undefined {
  const { smallest } = config.cohort;
  if (config.census !== undefined) {
    if (history.meanHistory !== undefined) return undefined;
    return { purpose: 'evaluate', clients: roomFor(config), least: smallest };
  }
  if (evaluation) return { purpose: 'evaluate', clients: Math.max(smallest, connected), least: smallest };
  // A candidate is judged when a round could begin, before it does; after the last round there is nothing else.
  if (isFinished(config, history))
    return trial && { purpose: 'evaluate', clients: Number.POSITIVE_INFINITY, least: smallest, trial };
  const sampling = samplingOf(config) ?? 1;
  const train = {
    purpose: 'train' as const,
    clients: roomFor(config),
    least: Math.ceil(smallest / sampling),
  };
  return trial === undefined ? train : { ...train, trial };
}

/** Clients that have to be there for a round: those that it asks, or the population that a Poisson sample is drawn from. */
export function roomFor(config: TaskConfig): number {
  const { poisson, cohort } = config;
  return poisson === undefined ? clientsAsked(config) : Math.ceil(poisson.population / cohort.overselection);
}

/**
 * Draws who is asked: as many as are wanted, uniformly; or each by itself, for a Poisson sample, whose size is what it is. They still
 * wait; {@link Lobby.take} takes them.
 *
 * @returns undefined for a sample below the smallest cohort: another has to be drawn. A configuration keeps that so rare that the
 *   chance of being asked stays what is accounted.
 */
export function chooseCohort(
  config: TaskConfig,
  lobby: Lobby,
  { purpose, clients }: Wanted,
): Cohort | undefined {
  if (purpose === 'evaluate') return { clients: lobby.select(lobby.waiting), planned: lobby.waiting };
  const sampling = samplingOf(config);
  if (sampling === null) return { clients: lobby.select(clients), planned: config.cohort.planned };
  const sample = lobby.sample(sampling);
  return sample.length < config.cohort.smallest ? undefined : { clients: sample, planned: sample.length };
}
