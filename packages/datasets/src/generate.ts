import { seededRandom, UsageError, type SeededRandom } from '@tutti/base';
import { inventTitles, PERSON_NAMES } from './names.ts';
import { leaveOneOut } from './split.ts';
import type { Interaction, SplitDataset } from './types.ts';

/** What a generated shelf is like. */
export interface ShelfOptions {
  readonly seed: number | string;
  /** People; default 240. */
  readonly users?: number;
  /** Films; default 400. */
  readonly items?: number;
  /** Kinds of taste; default 12. */
  readonly clusters?: number;
  /** Mean likes a person; default 50. */
  readonly meanLikes?: number;
}

const GENRES = ['Drama', 'Comedy', 'Mystery', 'Adventure', 'Romance', 'Science Fiction', 'Documentary', 'Thriller', 'Animation', 'Western', 'Music', 'History'];

/** Share of a person's likes that follow taste; the rest follow popularity alone. */
const TASTE_SHARE = 0.9;

/** How steeply popularity falls along the shelf (Zipf exponent). */
const POPULARITY_EXPONENT = 0.55;

/** Fewest and most likes of a person, as parts of the mean. */
const LIKES_RANGE = [0.3, 2.4] as const;

/** Seconds over which the shelf's likes are spread. */
const YEAR_SECONDS = 31_536_000;

/**
 * A built-in data set, synthetic and said to be: each person mixes two or three of a few kinds of taste, each film belongs
 * to one or two of them, popularity has a long tail, and tastes drift a little over a year. Equal seeds give equal data.
 *
 * @throws {UsageError} when there are too few films for the likes and candidates asked for.
 */
export function generateFilmShelf(options: ShelfOptions): SplitDataset {
  const { seed, users = 240, items = 400, clusters = 12, meanLikes = Math.min(50, items / 5) } = options;
  if (users < 2 || items < 110) throw new UsageError(`a shelf of ${items} films for ${users} people; at least 110 films and 2 people are needed`);
  const root = seededRandom(seed).fork('film shelf', users, items);
  const shelf = makeShelf(items, clusters, root.fork('films'));
  const interactions: Interaction[] = [];
  const attributes = new Uint8Array(users);
  for (let user = 0; user < users; user++) {
    const random = root.fork('person', user);
    const taste = drawTaste(clusters, random);
    attributes[user] = (taste.weights[0] as number) > 0 && taste.main < clusters / 2 ? 1 : random.float() < 0.2 ? 1 : 0;
    interactions.push(...drawLikes(user, taste, shelf, meanLikes, random));
  }
  return {
    name: 'film shelf (synthetic)',
    users,
    items,
    interactions: interactions.length,
    ...leaveOneOut(interactions, users, items, String(seed)),
    validationInsideTrain: false,
    catalogue: {
      ids: Array.from({ length: items }, (_, item) => `film-${String(item).padStart(4, '0')}`),
      titles: inventTitles(items, root.fork('titles')),
      genres: shelf.clusterOf.map((own) => own.map((cluster) => GENRES[cluster % GENRES.length] as string)),
    },
    userNames: Array.from({ length: users }, (_, user) => personName(user)),
    attributes,
  };
}

interface Shelf {
  readonly clusterOf: readonly (readonly number[])[];
  readonly popularity: Float64Array;
}

interface Taste {
  readonly main: number;
  readonly weights: Float64Array;
}

function makeShelf(items: number, clusters: number, random: SeededRandom): Shelf {
  const order = shuffled(items, random);
  const popularity = new Float64Array(items);
  order.forEach((item, place) => (popularity[item] = (place + 5) ** -POPULARITY_EXPONENT));
  const clusterOf = Array.from({ length: items }, () => {
    const first = random.int(clusters);
    return random.float() < 0.3 ? [first, (first + 1 + random.int(clusters - 1)) % clusters] : [first];
  });
  return { clusterOf, popularity };
}

function drawTaste(clusters: number, random: SeededRandom): Taste {
  const weights = new Float64Array(clusters);
  const main = random.int(clusters);
  weights[main] = 1;
  const others = 1 + random.int(2);
  for (let n = 0; n < others; n++) {
    const other = random.int(clusters);
    weights[other] = Math.max(weights[other] as number, 0.25 + 0.5 * random.float());
  }
  return { main, weights };
}

function drawLikes(user: number, taste: Taste, shelf: Shelf, meanLikes: number, random: SeededRandom): Interaction[] {
  const items = shelf.popularity.length;
  const [least, most] = LIKES_RANGE;
  // Exponential around the mean, cut on both sides: most people like little, a few like a lot.
  const wanted = Math.round(Math.min(most, Math.max(least, -Math.log(1 - random.float()))) * meanLikes);
  const count = Math.min(items - 100, Math.max(10, wanted));
  const appeal = Float64Array.from({ length: items }, (_, item) => {
    const own = shelf.clusterOf[item] as readonly number[];
    const match = own.reduce((best, cluster) => Math.max(best, taste.weights[cluster] as number), 0);
    return (shelf.popularity[item] as number) * (TASTE_SHARE * match + (1 - TASTE_SHARE) * 0.2);
  });
  // Exponential keys: the `count` smallest are a weighted sample without replacement (Efraimidis & Spirakis 2006).
  const keys = Float64Array.from(appeal, (weight) => -Math.log(1 - random.float()) / weight);
  const chosen = Array.from(keys.keys()).sort((a, b) => (keys[a] as number) - (keys[b] as number)).slice(0, count);
  const when = chosen.map(() => random.int(YEAR_SECONDS));
  return chosen.map((item, n) => ({ user, item, at: when[n] as number }));
}

function shuffled(length: number, random: SeededRandom): number[] {
  const order = Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

function personName(user: number): string {
  const name = PERSON_NAMES[user % PERSON_NAMES.length] as string;
  const round = Math.floor(user / PERSON_NAMES.length);
  return round === 0 ? name : `${name} ${round + 1}`;
}
