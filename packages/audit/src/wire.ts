import { InternalError, type SeededRandom } from '@tutti/base';
import { dealtBound } from './exact-deals.ts';
import { auc, distance, FALSE_ALARM, rocCurve, shuffleInPlace } from './statistics.ts';
import { defended, exposed, type AttackResult } from './types.ts';

/** What somebody on the network saw of one client in one round. */
export interface WireObservation {
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
  /**
   * Lets a client take part in one round after another: of whom, `order` says. As clients are, or with answers that leave at once.
   * @param order for each round, whether the person has many interactions.
   */
  observe(delayed: boolean, order: readonly boolean[]): Promise<readonly WireObservation[]>;
}

/** Rounds of each kind of person, in each of the two ways. */
export const ROUNDS_EACH = 32;

/** What the attack must reach where answers leave at once, at least: far from guessing on a busy machine too. */
const CLEARLY = 0.7;

/** Times that as many rounds again are watched where answers leave at once, until the attack succeeds: a busy machine blurs it. */
const MOST_LOOKS = 4;

/** Times that differ by less than a share of the delay are of one class; the rest is the machine's jitter. */
const CLASSES_EACH_DELAY = 2;

/**
 * The wire: do sizes, or the time until an answer leaves, tell a person with few interactions from one with many?
 *
 * Lots are drawn for each round who takes part in it, few or many. Whatever the machine does meanwhile, it cannot know the lots: so the
 * chance that times go with them although the client's answers do not is exactly that of dealing, {@link dealtBound}, however busy the
 * machine is.
 */
export async function wireSideChannels(probe: WireProbe, random: SeededRandom): Promise<AttackResult[]> {
  const atOnce: WireObservation[] = [];
  let raw;
  for (let look = 0; look < MOST_LOOKS && (raw === undefined || raw.value < raw.bound); look++) {
    atOnce.push(...(await probe.observe(false, lots(random.fork('at once', look)))));
    raw = timed(atOnce, (ms) => ms);
    raw.bound = Math.max(CLEARLY, raw.bound);
  }
  if (raw === undefined) throw new InternalError('no round was watched');
  const delayed = await probe.observe(true, lots(random.fork('delayed')));
  const everything = [...atOnce, ...delayed];
  const shapesOf = (kind: boolean): Set<string> =>
    new Set(everything.filter(({ many }) => many === kind).map(({ sizes }) => sizes.join(' ')));
  const [ofFew, ofMany] = [shapesOf(false), shapesOf(true)];
  const telling = [...ofFew, ...ofMany].filter((shape) => !ofFew.has(shape) || !ofMany.has(shape));
  const who = `"${probe.many} interactions, not ${probe.few}"`;
  const classes = timed(delayed, (ms) => Math.round((CLASSES_EACH_DELAY * ms) / probe.answerEveryMs));
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
      statistic: `area under the curve for ${who} over ${raw.observed.length} rounds of either by lot, whose answers leave at once; in ${MOST_LOOKS} looks guessing passes with a chance below ${MOST_LOOKS * FALSE_ALARM}`,
      value: raw.value,
      bound: raw.bound,
      roc: raw.roc,
    }),
    defended({
      name: 'time until an answer',
      defence: `answers leave at powers of two times ${probe.answerEveryMs} ms, after the usual time`,
      statistic: `area under the curve for ${who} over ${classes.observed.length} rounds of either by lot, in ${new Set(classes.observed).size} classes of time; false alarms below ${FALSE_ALARM}, exactly, on any machine`,
      value: classes.value,
      bound: classes.bound,
      roc: classes.roc,
      figures: {
        classes: [...new Set(classes.observed)].sort((a, b) => a - b).join(' '),
        areaOfExactTimes: timed(delayed, (ms) => ms).value,
      },
    }),
  ];
}

/** Who takes part when: as often the one as the other, in an order that nothing else depends on. */
function lots(random: SeededRandom): boolean[] {
  const order = Array.from({ length: 2 * ROUNDS_EACH }, (_, i) => i % 2 === 1);
  shuffleInPlace(order, random);
  return order;
}

function timed(observations: readonly WireObservation[], of: (ms: number) => number) {
  const observed = observations.map(({ answerMs }) => of(answerMs));
  const labels = observations.map(({ many }) => (many ? 1 : 0));
  const positives = observations.filter(({ many }) => many).length;
  return {
    observed,
    value: distance(auc(observed, labels)),
    bound: dealtBound(observed, positives, FALSE_ALARM),
    roc: rocCurve(observed, labels),
  };
}
