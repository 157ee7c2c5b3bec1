import { h, type ComponentChild } from 'preact';
import type { Film } from '../films.ts';
import { posterAddress } from '../poster/poster.ts';

/** A film in a row of them, and why it is there. */
export interface Shown {
  readonly film: Film;
  readonly why?: string;
  readonly fresh?: boolean;
}

export interface RowProps {
  readonly label: string;
  readonly shown: readonly Shown[];
  readonly likes: ReadonlySet<string>;
  readonly onLike: (film: Film) => void;
  /** A grid that grows down, or a strip that goes on to the side. */
  readonly form: 'grid' | 'strip';
}

/** Pictures are drawn once. */
const drawn = new Map<string, string>();

function pictureOf(film: Film): string {
  const known = drawn.get(film.id) ?? posterAddress(film);
  drawn.set(film.id, known);
  return known;
}

/**
 * Films side by side. A place keeps its button when another film comes to stand there, so that whoever is on it with the keyboard
 * stays where they are.
 */
export function Row({ label, shown, likes, onLike, form }: RowProps): ComponentChild {
  return h(
    'ul',
    { class: `films ${form}`, 'aria-label': label, onKeyDown: alongTheRow },
    shown.map(({ film, why, fresh = false }, place) =>
      h(
        'li',
        { key: place, class: fresh ? 'film fresh' : 'film', 'data-film': film.id },
        h(
          'button',
          {
            type: 'button',
            class: 'poster',
            'aria-pressed': likes.has(film.id) ? 'true' : 'false',
            'aria-label': `Like ${film.title}`,
            onClick: () => onLike(film),
          },
          h('img', {
            key: film.id,
            src: pictureOf(film),
            alt: '',
            width: 240,
            height: 360,
            decoding: 'async',
          }),
          h('span', { class: 'heart', 'aria-hidden': 'true' }, HEART),
        ),
        h('span', { class: 'name' }, film.title),
        h('span', { class: 'facts' }, `${film.year} · ${film.genres.join(', ')}`),
        why === undefined ? null : h('span', { class: 'why' }, why),
      ),
    ),
  );
}

const HEART = h(
  'svg',
  { viewBox: '0 0 24 24', width: 17, height: 17 },
  h('path', {
    d: 'M12 20.5C5 15.4 2.5 12 2.5 8.4A4.9 4.9 0 0 1 12 6.6a4.9 4.9 0 0 1 9.5 1.8c0 3.6-2.5 7-9.5 12.1z',
  }),
);

/** The arrows go from film to film, so that a row is quick to walk; Tab does too. */
function alongTheRow(event: KeyboardEvent): void {
  const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  if (step === 0) return;
  const row = event.currentTarget as HTMLElement;
  const buttons = [...row.querySelectorAll<HTMLButtonElement>('button.poster')];
  const next = buttons[buttons.indexOf(document.activeElement as HTMLButtonElement) + step];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}
