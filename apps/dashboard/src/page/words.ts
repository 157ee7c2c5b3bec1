import type { Funnel, Judgement } from '@tutti/coordination';

/** Figures and facts in words. */

const dash = '–';

/** A part as it is printed everywhere: three digits. */
export const share = (value: number | null | undefined): string =>
  value === null || value === undefined ? dash : value.toFixed(3);

/** Bytes in decimal units: 52 kB, 61.0 MB. */
export function bytes(count: number): string {
  if (count < 1_000) return `${Math.round(count)} B`;
  if (count < 1e6) return `${Math.round(count / 1e3)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}

/** Milliseconds in seconds, or minutes from ninety seconds on. */
export function duration(ms: number): string {
  const seconds = ms / 1_000;
  return seconds < 90
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** Who was lost in a round, by phase and by reason. */
export function losses({ dropped, declined }: Pick<Funnel, 'dropped' | 'declined'>): string {
  const parts = [
    ...dropped.map(({ phase, count }) => `${count} in ${phase}`),
    ...Object.entries(declined).map(([reason, count]) => `${count} declined: ${reason}`),
  ];
  return parts.length === 0 ? dash : parts.join(', ');
}

const VERDICTS: Readonly<Record<Judgement['verdict'], string>> = {
  promote: 'no worse than the one before',
  rollback: 'worse than the one before',
  undecided: 'neither surely better nor surely worse than the one before',
  continue: 'still being judged',
};

/** How a candidate was judged, with its interval. */
export function verdict({ verdict: word, metric, difference, low, high, people }: Judgement): string {
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${share(Math.abs(value))}`;
  const interval = `${signed(difference)}, from ${signed(low)} to ${signed(high)}`;
  return `${VERDICTS[word]}: ${metric.toUpperCase()} ${interval}, over ${Math.round(people)} people`;
}

/** Enough of a hash to tell it by. */
export const shortHash = (hash: string): string => (hash === '' ? dash : hash.slice(0, 10));

/** A phase as people read it. */
export const PHASES: readonly (readonly [phase: string, words: string])[] = [
  ['select', 'waiting for clients'],
  ['train', 'training'],
  ['reveal-nonces', 'drawing the graph'],
  ['share-keys', 'sharing keys'],
  ['masked-input', 'masked inputs'],
  ['survivors', 'signing survivors'],
  ['unmask', 'removing masks'],
  ['sum', 'new model'],
];

/** Phases in which a task stands still. */
export const RESTING: Readonly<Record<string, string>> = {
  finished: 'all rounds that were asked for are done',
  'budget-spent': 'the privacy budget is spent: nothing more is released',
  failed: 'the last attempt failed',
  paused: 'paused: no round begins until it is resumed',
  stopped: 'stopped for good: no round is made any more',
};
