import { chanceBound, distance, auc } from './statistics.ts';
import { keepLocal } from '@tutti/base';
import { recordAttempt, type RecordedClient } from './attempt.ts';
import type { Victims } from './people.ts';
import { defended, exposed, type AttackResult } from './types.ts';

/** Histories that are told apart: people with few interactions and with very many. */
const FEW = 3;
const MANY = 300;
const EACH = 16;

/** How surely raw training times tell few from many, or the attack proves nothing. */
const CERTAIN = 0.9;

/**
 * The wire: do sizes, or the time until an answer leaves, tell a person with 3 interactions from one with 300? Sizes are those of
 * every message of a real attempt. Times are of the training that a description asks for, as they are and as `delayedTo` (the
 * device's own rule) lets the answer leave.
 */
export async function wireSideChannels(
  victims: Victims,
  delayedTo: (tookMs: number) => number,
): Promise<AttackResult[]> {
  const { model, loaded, clippingNorm, random } = victims;
  const many = Math.min(MANY, Math.floor(model.items / 2));
  const people = Array.from({ length: 2 * EACH }, (_, user) => ({
    user,
    positives: keepLocal(
      distinct(user % 2 === 0 ? FEW : many, model.items, (n) => random.fork('wire', user, n)),
    ),
  }));
  const { clients } = await recordAttempt({ model, loaded, people, clippingNorm, noiseMultiplier: 0.01 });
  const shapes = new Set(clients.map(shapeOf));
  const times = await trainingTimes(victims, people);
  const labels = people.map(({ user }) => user % 2);
  const statistic = `area under the curve for "${many} interactions, not ${FEW}", ${people.length} people`;
  return [
    defended({
      name: 'sizes on the wire',
      defence: 'every message has one size',
      statistic: `different sequences of message sizes among people with ${FEW} and with ${many} interactions`,
      value: shapes.size,
      bound: 1,
    }),
    exposed({ name: 'time until an answer', statistic, value: distance(auc(times, labels)), bound: CERTAIN }),
    defended({
      name: 'time until an answer',
      defence: 'answers leave at multiples of a fixed time',
      statistic,
      value: distance(auc(times.map(delayedTo), labels)),
      bound: chanceBound(EACH, EACH),
    }),
  ];
}

const shapeOf = ({ sent }: RecordedClient): string => sent.map(({ length }) => length).join(' ');

/** The shortest of three times that each person's training takes, in milliseconds. */
async function trainingTimes(
  { loaded, random }: Victims,
  people: readonly { readonly user: number; readonly positives: ReturnType<typeof keepLocal<Int32Array>> }[],
): Promise<number[]> {
  const times: number[] = [];
  for (const { user, positives } of people) {
    let least = Number.POSITIVE_INFINITY;
    for (let trial = 0; trial < 3; trial++) {
      const start = performance.now();
      const local = await loaded.personalize(undefined, { positives }, random.fork('time', user));
      await loaded.train(local, { positives }, random.fork('time', user));
      least = Math.min(least, performance.now() - start);
    }
    times.push(least);
  }
  return times;
}

/** `count` different items. */
function distinct(
  count: number,
  items: number,
  random: (n: number) => { int(bound: number): number },
): Int32Array {
  const chosen = new Set<number>();
  for (let n = 0; chosen.size < count; n++) chosen.add(random(n).int(items));
  return Int32Array.from(chosen);
}
