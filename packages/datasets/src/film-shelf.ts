import { UsageError, seededRandom, type SeededRandom } from '@tutti/base';
import { filmTitles, firstNames, GENRES } from './film-words.ts';
import { growingFloats, growingInts } from './growing.ts';
import { leaveOneOut } from './split.ts';
import type { SplitDataset } from './types.ts';

/** What the shelf is made with; every field has a default. */
export interface FilmShelfOptions {
  /** Equal seeds and sizes give the same shelf on every platform. Default 1. */
  readonly seed?: string | number;
  /** People. From 1 to 200,000; default 240. */
  readonly users?: number;
  /** Films. From 40 to 100,000; default 400. */
  readonly items?: number;
  /** Clusters of interest. From 2 to 12, one a genre; default 6. */
  readonly clusters?: number;
}

/** A shelf has names for its people, and one attribute that training never sees. */
export interface FilmShelf extends SplitDataset {
  readonly userNames: readonly string[];
  /**
   * `group`: 0 or 1 a person, planted: whoever mostly watches the first half of the clusters is in group 1 with chance
   * 0.8, others with chance 0.2. What a model gives away about it can be measured against a known answer.
   */
  readonly attributes: { readonly group: Uint8Array };
}

/** Likes that are not of the person's clusters, but of whatever is popular. */
const STRAY = 0.03;

/** Weights of a person's clusters, largest first, for those who mix two and those who mix three. */
const MIXES = [
  [0.65, 0.35],
  [0.5, 0.3, 0.2],
] as const;

/** Share of films that belong to a second cluster, and how strongly. */
const SECOND_CLUSTER = { share: 0.4, weight: 0.15 } as const;

/** Share of weight that moves from a person's first cluster to the last over their history. */
const DRIFT = 0.15;

/**
 * How far likes are moved in time, in lengths of a person's history. Without it people would see the popular films of
 * their clusters first, and the latest like, which is held out, would be an odd one.
 */
const SHUFFLE = 3;

/** Two years of history, as Unix seconds; likes of one person are hours to weeks apart. */
const TIMES = { start: 1_672_531_200, windowSeconds: 63_072_000, longestGapSeconds: 604_800 } as const;

/**
 * A synthetic film shelf: invented films, people and likes, for demonstrations and tests. No real person or film is in it.
 *
 * Each person mixes two or three clusters of interest; each film belongs to one cluster, two in five also to a second. Within
 * a cluster few films are popular and most are not (long tail). Likes spread over two years, and a person's mix drifts a
 * little with time. People have 10 to 120 likes, about 50 on average, but at most 3 films in 10. The split is
 * {@link leaveOneOut} with 99 seeded candidates.
 *
 * Only sums, products and square roots of seeded draws are used, which every JavaScript engine rounds alike: equal
 * options give equal bits everywhere.
 *
 * @throws {UsageError} naming the option that is out of range, and its range.
 */
export function generateFilmShelf(options: FilmShelfOptions = {}): FilmShelf {
  const { seed = 1, users = 240, items = 400, clusters = 6 } = options;
  within('users', users, 1, 200_000);
  within('items', items, 40, 100_000);
  within('clusters', clusters, 2, GENRES.length);
  const random = seededRandom(seed).fork('film-shelf');
  const films = makeFilms(items, clusters, random.fork('films'));
  const likes = { users: growingInts(), items: growingInts(), timestamps: growingFloats() };
  const group = new Uint8Array(users);
  const liked = { film: new Int32Array(items).fill(-1) };
  for (let user = 0; user < users; user++) {
    const stream = random.fork('person', user);
    const person = makePerson(clusters, stream);
    group[user] = stream.float() < (person.clusters[0] < clusters / 2 ? 0.8 : 0.2) ? 1 : 0;
    addLikes({ user, person, films, liked: liked.film, random: stream }, likes);
  }
  const titles = filmTitles(items, random.fork('titles'));
  const itemIds = titles.map((_, item) => `film-${item + 1}`);
  const split = leaveOneOut(
    {
      users: likes.users.finish(),
      items: likes.items.finish(),
      timestamps: likes.timestamps.finish(),
      userIds: Array.from(group, (_, user) => String(user)),
      itemIds,
    },
    {
      name: 'film-shelf',
      seed,
      keepItems: true,
      texts: new Map(
        itemIds.map((id, item) => [id, { title: titles[item] as string, genres: genresOf(films, item) }]),
      ),
    },
  );
  return { ...split, userNames: firstNames(users), attributes: { group } };
}

function within(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new UsageError(`${name} is ${value}; a whole number from ${least} to ${most} is needed`);
}

interface Films {
  readonly count: number;
  readonly first: Uint8Array;
  /** The second cluster, or the first again. */
  readonly second: Uint8Array;
  /** For each cluster, and last for the whole shelf: films, and the sum of their weights up to each. */
  readonly shelves: readonly { readonly films: Int32Array; readonly upTo: Float64Array }[];
}

function makeFilms(count: number, clusters: number, random: SeededRandom): Films {
  const first = Uint8Array.from({ length: count }, (_, film) => film % clusters);
  const second = first.map((cluster) =>
    random.float() < SECOND_CLUSTER.share ? (cluster + 1 + random.int(clusters - 1)) % clusters : cluster,
  );
  // Films come in order of popularity, so each cluster gets its share of hits; rank^-5/4 with a soft head,
  // where ranks are scaled so that the share of the hits is the same on a shelf of any size.
  const popularity = Float64Array.from({ length: count }, (_, film) => {
    const root = Math.sqrt((67 * (film + 1)) / count + 3);
    return 1 / (root * root * Math.sqrt(root));
  });
  const shelf = (weightOf: (film: number) => number): Films['shelves'][number] => {
    const films = Int32Array.from(popularity.keys()).filter((film) => weightOf(film) > 0);
    let sum = 0;
    return {
      films,
      upTo: Float64Array.from(films, (film) => (sum += (popularity[film] as number) * weightOf(film))),
    };
  };
  const shelves = Array.from({ length: clusters }, (_, cluster) =>
    shelf((film) => (first[film] === cluster ? 1 : second[film] === cluster ? SECOND_CLUSTER.weight : 0)),
  );
  return { count, first, second, shelves: [...shelves, shelf(() => 1)] };
}

function genresOf({ first, second }: Films, film: number): string[] {
  return Array.from(new Set([first[film], second[film]]), (cluster) => GENRES[cluster as number] as string);
}

interface Person {
  readonly clusters: readonly [number, ...number[]];
  readonly mix: readonly number[];
}

function makePerson(clusters: number, random: SeededRandom): Person {
  const mix = clusters === 2 ? MIXES[0] : (MIXES[random.int(MIXES.length)] as (typeof MIXES)[number]);
  const chosen = new Set<number>();
  while (chosen.size < mix.length) chosen.add(drawCommon(clusters, random));
  return { clusters: Array.from(chosen) as [number, ...number[]], mix };
}

/** A cluster, the first ones somewhat more often: some genres have more friends than others. */
function drawCommon(clusters: number, random: SeededRandom): number {
  const draw = random.float();
  return Math.floor(clusters * draw * (0.6 + 0.4 * draw));
}

interface LikesOf {
  readonly user: number;
  readonly person: Person;
  readonly films: Films;
  /** For each film the last person who liked it. */
  readonly liked: Int32Array;
  readonly random: SeededRandom;
}

interface Sink {
  readonly users: { push(value: number): void };
  readonly items: { push(value: number): void };
  readonly timestamps: { push(value: number): void };
}

function addLikes({ user, person, films, liked, random }: LikesOf, sink: Sink): void {
  const count = likesOf(films.count, random);
  const draws = Array.from({ length: count }, (_, n) => {
    const film = drawFilm(person, films, n / count, (candidate) => liked[candidate] !== user, random);
    liked[film] = user;
    return { film, when: n / count + SHUFFLE * random.float() };
  });
  draws.sort((a, b) => a.when - b.when);
  let time = TIMES.start + Math.floor(random.float() * TIMES.windowSeconds);
  for (const { film } of draws) {
    sink.users.push(user);
    sink.items.push(film);
    sink.timestamps.push(time);
    const gap = random.float();
    time += 60 + Math.floor(gap * gap * gap * TIMES.longestGapSeconds);
  }
}

/** From 10 to 120 with a mean of about 50, most below it; at most 3 films in 10. */
function likesOf(films: number, random: SeededRandom): number {
  const most = Math.min(120, Math.floor(0.3 * films));
  const draw = random.float();
  return Math.min(most, 10 + Math.floor(111 * draw * Math.sqrt(draw)));
}

/** Draws until a film is new to the person; one who has seen nearly all of a cluster looks elsewhere. */
function drawFilm(
  person: Person,
  films: Films,
  progress: number,
  isNew: (film: number) => boolean,
  random: SeededRandom,
): number {
  const DRAWS = 200;
  for (let draw = 0; draw < DRAWS; draw++) {
    const cluster = random.float() < STRAY ? films.shelves.length - 1 : drawCluster(person, progress, random);
    const { films: shelf, upTo } = films.shelves[cluster] as Films['shelves'][number];
    const film = shelf[firstAbove(upTo, random.float() * (upTo.at(-1) as number))] as number;
    if (isNew(film)) return film;
  }
  let film = random.int(films.count);
  while (!isNew(film)) film = (film + 1) % films.count;
  return film;
}

function drawCluster({ clusters, mix }: Person, progress: number, random: SeededRandom): number {
  let left = random.float() + DRIFT * progress;
  for (let n = 0; n < mix.length - 1; n++) {
    left -= mix[n] as number;
    if (left < 0) return clusters[n] as number;
  }
  return clusters.at(-1) as number;
}

/** The first index whose sum is above `value`. */
function firstAbove(sums: Float64Array, value: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
