import { seededRandom, type SeededRandom } from '@tutti/base';
import { generateFilmShelf, type FilmShelf } from '@tutti/datasets';

/** A film of the shelf, as the page shows it. None of them exists. */
export interface Film {
  readonly id: string;
  readonly title: string;
  readonly year: number;
  /** One or two; the first is what it is mostly. */
  readonly genres: readonly string[];
  readonly director: string;
}

/** Films, the likes of a background population, and who they are in it. */
export interface Shelf {
  readonly films: readonly Film[];
  readonly people: FilmShelf;
}

/** Films on the shelf, in six genres; the first ones are liked most. */
const FILMS = 300;
const GENRES = 6;

const YEARS = { first: 1932, last: 2025 } as const;

const INITIALS = 'ABCDEFGHIJKLMNOPRSTVWYZ';
const SURNAMES = (
  'Okafor Lindqvist Marchetti Brandt Sayegh Novak Ferreira Aaltonen Iwata Moreau Castellan Dvorak Haddad Ibsen Jansson ' +
  'Kowal Lazarev Mbeki Nakamura Ortega Palmgren Quist Rosen Sabato Tanaka Ustinov Varga Weill Yilmaz Zeller Abadi Bexley'
).split(' ');

/** The shelf for so many people: equal everywhere, every time. Genres and years are for show: no model is told of them. */
export function makeShelf(people: number, seed = 1): Shelf {
  const shelf = generateFilmShelf({ seed, users: people, items: FILMS, clusters: GENRES });
  const { ids, titles = [], genres = [] } = shelf.catalogue;
  const random = seededRandom(seed).fork('demo-films');
  const films = ids.map((id, film) => {
    const own = random.fork('film', film);
    return {
      id,
      title: titles[film] ?? id,
      year: YEARS.first + own.int(YEARS.last - YEARS.first + 1),
      genres: genres[film] ?? [],
      director: `${oneOf(INITIALS, own)}. ${oneOf(SURNAMES, own)}`,
    };
  });
  return { films, people: shelf };
}

const oneOf = (list: ArrayLike<string>, random: SeededRandom): string =>
  list[random.int(list.length)] as string;
