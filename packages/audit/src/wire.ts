import type { SeededRandom } from '@tutti/base';
import { areaOfRanks, auc, distance, permutationBound, ranksOf, rocCurve } from './statistics.ts';
import { defended, exposed, type AttackResult } from './types.ts';

/** What somebody on the network saw of one client in one round. */
export interface WireObservation {
  /** Which client it was. */
  readonly client: number;
  /** Whether that client's person has many interactions. */
  readonly many: boolean;
  /** Length of each message that the client sent in the round, in order. */
  readonly sizes: readonly number[];
  /** From the description's arrival until the client's answer left, in milliseconds. */
  readonly answerMs: number;
}

/** Real clients on real sockets, watched from outside. */
export interface WireProbe {
  /** Interactions of the two kinds of people. */
  readonly few: number;
  readonly many: number;
  /** How clients delay their answers, in milliseconds; see `createParticipation`. */
  readonly answerEveryMs: number;
  /** Lets every client take part, each in rounds of its own; as they are, or with answers that leave at once. */
  observe(delayed: boolean): Promise<readonly WireObservation[]>;
}

/** Deals of the permutation test, and the share of them that may pass its bound: its false alarms. */
const DEALS = 20_000;
const FALSE_ALARM = 1e-3;

/** Times that differ by less than a share of the delay are of one class; the rest is the machine's jitter. */
const CLASSES_EACH_DELAY = 2;

/**
 * The wire: do sizes, or the time until an answer leaves, tell a person with few interactions from one with many? Of each client
 * the attacker takes the shortest time that it saw: the one with the least of the machine's other work in it. Chance is measured by
 * dealing the two kinds anew to clients.
 */
export async function wireSideChannels(probe: WireProbe, random: SeededRandom): Promise<AttackResult[]> {
  const atOnce = await probe.observe(false);
  const delayed = await probe.observe(true);
  const everything = [...atOnce, ...delayed];
  const shapesOf = (kind: boolean): Set<string> =>
    new Set(everything.filter(({ many }) => many === kind).map(({ sizes }) => sizes.join(' ')));
  const [ofFew, ofMany] = [shapesOf(false), shapesOf(true)];
  const telling = [...ofFew, ...ofMany].filter((shape) => !ofFew.has(shape) || !ofMany.has(shape));
  const who = `"${probe.many} interactions, not ${probe.few}"`;
  const raw = timed(atOnce, (ms) => ms, random);
  const classes = timed(delayed, (ms) => Math.round((CLASSES_EACH_DELAY * ms) / probe.answerEveryMs), random);
  return [
    defended({
      name: 'sizes on the wire',
      defence: 'every message has one size',
      statistic: `sequences of message sizes that only people with ${probe.few} or only people with ${probe.many} interactions sent, in ${everything.length} rounds`,
      value: telling.length,
      bound: 0,
      figures: { bytes: (atOnce[0]?.sizes ?? []).reduce((sum, size) => sum + size, 0) },
    }),
    exposed({
      name: 'time until an answer',
      statistic: `area under the curve for ${who}, shortest of each of ${raw.observed.length} clients, whose answers leave at once`,
      value: raw.value,
      bound: raw.bound,
      roc: raw.roc,
    }),
    defended({
      name: 'time until an answer',
      defence: `answers leave at powers of two times ${probe.answerEveryMs} ms`,
      statistic: `area under the curve for ${who}, shortest of each of ${classes.observed.length} clients, in ${new Set(classes.observed).size} classes of time; false alarms ${FALSE_ALARM} (${DEALS} deals)`,
      value: classes.value,
      bound: classes.bound,
      roc: classes.roc,
      figures: { classes: [...new Set(classes.observed)].sort((a, b) => a - b).join(' ') },
    }),
  ];
}

function timed(observations: readonly WireObservation[], of: (ms: number) => number, random: SeededRandom) {
  const shortest = new Map<number, { many: boolean; answerMs: number }>();
  for (const { client, many, answerMs } of observations) {
    const before = shortest.get(client)?.answerMs ?? Number.POSITIVE_INFINITY;
    shortest.set(client, { many, answerMs: Math.min(before, answerMs) });
  }
  const clients = [...shortest.values()];
  const observed = clients.map(({ answerMs }) => of(answerMs));
  const labels = clients.map(({ many }) => (many ? 1 : 0));
  const ranks = ranksOf(observed);
  const bound = permutationBound(labels, (dealt) => distance(areaOfRanks(ranks, dealt)), {
    times: DEALS,
    falseAlarm: FALSE_ALARM,
    random: random.fork('deals'),
  });
  return { observed, value: distance(auc(observed, labels)), bound, roc: rocCurve(observed, labels) };
}
