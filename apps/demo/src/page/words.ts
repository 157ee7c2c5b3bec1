import type { DemoState, Part } from './state.ts';

/** Facts in words. */

/** Bytes in decimal units: 52 kB, 1.2 MB. */
export function bytes(count: number): string {
  if (count < 1_000) return `${count} bytes`;
  return count < 1e6 ? `${Math.round(count / 1e3)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

/** Phases of a round as people read them, in order. */
export const PHASES: readonly (readonly [phase: string, short: string, words: string])[] = [
  ['select', 'gather', 'waiting until enough devices are free'],
  ['train', 'train', 'each device trains on its own likes'],
  ['share-keys', 'keys', 'each pair of devices agrees on a secret'],
  ['masked-input', 'send', 'masked updates arrive'],
  ['unmask', 'unmask', 'the masks cancel in the sum'],
  ['sum', 'sum', 'the sum becomes the next model'],
];

/** What this browser does in a step. */
const STEPS: Readonly<Record<Part['step'], string>> = {
  describe: 'Your browser is training on your likes.',
  roster: 'Your browser is agreeing on secrets with the others.',
  'relay-shares': 'Your browser is sending its masked update.',
  survivors: 'Your browser is helping to take the masks off the sum.',
};

/** The last round, and whether this browser was in it. */
export function lastRound({ rounds, mine, live, consent }: DemoState): string {
  const last = rounds.at(-1);
  if (!live) return 'No connection to the coordinator. Suggestions work all the same.';
  if (last === undefined) return 'The first round is on its way.';
  const yours = mine.has(last.round)
    ? ', yours among them'
    : consent === 'granted'
      ? ', not yours this time'
      : '';
  return `Round ${last.round}: ${counted(last.reported, 'device')}${yours}.`;
}

/** What happens now. */
export function now({ status, part, live }: DemoState): string {
  if (!live || status === undefined) return '';
  if (part !== undefined) return STEPS[part.step];
  return `Now ${PHASES.find(([phase]) => phase === status.phase)?.[2] ?? status.phase}.`;
}

/** What the main list is made of. */
export function aboutList(state: DemoState): string {
  const { likes, suggested, fits } = state;
  if (suggested === undefined) return 'Asking the model …';
  if (suggested.round === 0)
    return 'Nothing is learned yet: this is chance. It changes with the first rounds.';
  const fit = fits.get(suggested.round);
  if (fit === undefined)
    return likes.length === 0
      ? 'What everybody likes, as far as it is known. Like a few films to make it yours.'
      : `Made of ${counted(likes.length, 'like')} and of what ${counted(suggested.round, 'round')} learned from everybody.`;
  const [first] = fits.values();
  const then = first === undefined || first === fit ? '' : ` When you began it was ${first}.`;
  return `${fit} of ${suggested.list.length} are of genres you like, which the model is never told.${then}`;
}
