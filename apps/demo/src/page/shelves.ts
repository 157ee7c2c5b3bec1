import type { Recommendation } from '@tutti/client-browser';
import { h, type ComponentChild } from 'preact';
import { useState } from 'preact/hooks';
import type { Film } from '../films.ts';
import { Row, type Shown } from './cards.ts';
import type { DemoState } from './state.ts';
import { aboutList } from './words.ts';

export interface ShelfProps {
  readonly state: DemoState;
  readonly likes: ReadonlySet<string>;
  readonly onLike: (film: Film) => void;
}

/** Films that a genre shows at first, and with each wish for more. */
const PAGE = 18;

/** What is suggested, with a reason for each. */
export function ForYou({ state, likes, onLike }: ShelfProps): ComponentChild {
  const { suggested } = state;
  return h(
    'section',
    { class: 'for-you', 'aria-labelledby': 'for-you' },
    h('h2', { id: 'for-you' }, 'For you'),
    h('p', { class: 'soft' }, aboutList(state)),
    suggested === undefined
      ? h('div', { class: 'waiting', 'aria-hidden': 'true' })
      : h(Row, {
          label: 'For you',
          form: 'grid',
          likes,
          onLike,
          shown: shownOf(state, suggested.list, suggested.fresh),
        }),
  );
}

function shownOf(
  { films }: DemoState,
  list: readonly Recommendation[],
  fresh: ReadonlySet<string> = new Set(),
): readonly Shown[] {
  return list.flatMap(({ item, because }) => {
    const film = films.get(item);
    const reason = because?.[0];
    if (film === undefined) return [];
    const why =
      reason === undefined
        ? {}
        : { why: `because you liked ${films.get(reason.item)?.title ?? reason.item}` };
    return [{ film, ...why, fresh: fresh.has(item) }];
  });
}

/** All other shelves: what is like the latest likes, the likes themselves, everything by genre. */
export function Shelves(props: ShelfProps): ComponentChild {
  const { state, likes, onLike } = props;
  const { films, suggested } = state;
  const own = [...state.likes].reverse().flatMap((item) => films.get(item) ?? []);
  return h(
    'div',
    { class: 'shelves' },
    suggested?.round === 0
      ? null
      : suggested?.because.map(({ item, list }) => {
          const title = `Because you liked ${films.get(item)?.title ?? item}`;
          return h(
            'section',
            { key: item, 'aria-label': title },
            h('h2', null, title),
            h(Row, { label: title, form: 'strip', likes, onLike, shown: shownOf(state, list) }),
          );
        }),
    h(Browse, props),
    h(
      'section',
      { 'aria-labelledby': 'liked' },
      h('h2', { id: 'liked' }, 'Liked'),
      own.length === 0
        ? h('p', { class: 'soft' }, 'Nothing yet. A click on a poster likes it; another takes it back.')
        : h(Row, { label: 'Liked', form: 'strip', likes, onLike, shown: own.map((film) => ({ film })) }),
    ),
  );
}

/** The whole shelf, a genre at a time; the most liked first. */
function Browse({ state, likes, onLike }: ShelfProps): ComponentChild {
  const all = state.setting.films;
  const genres = [...new Set(all.map(({ genres: [first] }) => first ?? ''))];
  const [chosen, choose] = useState(genres[0] ?? '');
  const [many, show] = useState(PAGE);
  const found = all.filter(({ genres: [first] }) => first === chosen);
  const pick = (genre: string) => (): void => {
    choose(genre);
    show(PAGE);
  };
  return h(
    'section',
    { 'aria-labelledby': 'browse' },
    h('h2', { id: 'browse' }, 'Browse'),
    h(
      'div',
      { class: 'genres', role: 'group', 'aria-label': 'Genre' },
      genres.map((genre) =>
        h(
          'button',
          {
            key: genre,
            type: 'button',
            class: 'chip',
            'aria-pressed': genre === chosen ? 'true' : 'false',
            onClick: pick(genre),
          },
          genre,
        ),
      ),
    ),
    h(Row, {
      label: chosen,
      form: 'grid',
      likes,
      onLike,
      shown: found.slice(0, many).map((film) => ({ film })),
    }),
    many < found.length
      ? h(
          'button',
          { type: 'button', class: 'plain more', onClick: () => show(many + PAGE) },
          `More ${chosen}`,
        )
      : null,
  );
}
