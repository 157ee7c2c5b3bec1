import {
  FLAG,
  given,
  keepLocal,
  type LocalOnly,
  numberFrom,
  type Rule,
  seededRandom,
  UsageError,
  wholeFrom,
  wrongFields,
} from '@tutti/base';
import {
  averageScores,
  bestOf,
  blended,
  diverse,
  isFactorization,
  itemVectors,
  productOf,
  reasonsFor,
  unitVectors,
  type ItemVectors,
  type Ranking,
} from '@tutti/model';
import { itemOf } from '../slice.ts';
import type { Catalogue } from './catalogue.ts';
import type { KnownTable } from './tables.ts';

/** One of the person's own items that speaks for a recommended one. */
export interface Reason {
  readonly item: string;
  readonly title?: string;
  /** Its part of all that speaks for the recommended item, above 0 and at most 1. */
  readonly share: number;
}

/** One recommended item. */
export interface Recommendation {
  readonly item: string;
  /** Higher is better, within one list. Of similar items it is the cosine, −1 to 1. */
  readonly score: number;
  readonly title?: string;
  /** With `explain`: the person's items that weigh most, the first one most; none where nothing they did speaks for it. */
  readonly because?: readonly Reason[];
}

/** How a list is asked for. */
export interface RecommendOptions {
  /** Length of the list, 1 to 10,000; default 10. */
  readonly k?: number;
  /** Items that are not to be in it, beside those that the person touched. */
  readonly exclude?: readonly string[];
  /** Whether items that the person touched may be in it; default no. */
  readonly includeSeen?: boolean;
  /** Says of each item which of the person's own speak for it. Computed here, and known to nobody else; default no. */
  readonly explain?: boolean;
  /** 0: the best items, however alike; 1: as unlike each other as can be. Default 0. */
  readonly diversity?: number;
  /**
   * How many interactions count as much as what everybody likes: a newcomer's list begins with that, and becomes their own as they
   * act. Default 2 for a matrix factorisation, 0 for others, which say so of themselves; 0: only what they did.
   */
  readonly popularityWeight?: number;
}

/** What similar items are asked for with. */
export interface SimilarOptions {
  /** Length of the list, 1 to 10,000; default 10. */
  readonly k?: number;
  readonly exclude?: readonly string[];
}

const LONGEST_LIST = 10_000;
const USUAL_LIST = 10;

/**
 * Two interactions weigh as much as everybody's taste. On ML-100K that moved HR@10 of a matrix factorisation with 0, 1, 3, 5 and 10 known interactions
 * from 0, .346, .427, .501, .563 to .440, .478, .506, .541, .581. The neural families say of themselves what everybody likes, the more the less is
 * known of a person (.418, .431, .451, .489, .526); blending made them no better.
 */
const POPULARITY_WEIGHT = 2;

/** Interactions from which on everybody's taste is left out: it would weigh a twenty-fifth. */
const NEWCOMER = 50;

/** Candidates of a diverse list: so many times its length, and at least so many. */
const POOL = 5;
const SMALLEST_POOL = 50;

/** Reasons told of an item. */
const REASONS = 3;

/** Interactions that reasons are sought among: the latest. */
const MOST_EXPLAINED = 500;

/** What a list is made from. */
export interface Listed {
  readonly table: KnownTable;
  readonly catalogue: Catalogue;
  /** The person's vector, fitted to `positives`. */
  readonly vector: LocalOnly<Float32Array>;
  /** Items of the catalogue that the vector was fitted to, the latest last. */
  readonly positives: LocalOnly<Int32Array>;
  /** All items that the person touched. */
  readonly seen: readonly string[];
}

const OPTIONS: Readonly<Record<string, Rule>> = {
  k: wholeFrom(1, LONGEST_LIST),
  exclude: [(ids) => Array.isArray(ids) && ids.every((id) => typeof id === 'string'), 'a list of item ids'],
  includeSeen: FLAG,
  explain: FLAG,
  diversity: numberFrom(0, 1),
  popularityWeight: numberFrom(0, 1e6),
};

/** The options that are given. @throws {UsageError} naming the option that is out of its range, or that there is none of. */
export function checkedListOptions(asked: RecommendOptions | null = {}): RecommendOptions {
  const options: RecommendOptions = given({ ...asked });
  const [wrong] = wrongFields(options, OPTIONS);
  if (wrong === undefined) return options;
  const [name, value, words = 'an option of a list'] = wrong;
  throw new UsageError(`${name}: ${String(value)} is not ${words}`);
}

/** Lists on the device. What follows from a table alone is kept until another one is used. */
export function openLists(): {
  recommend(from: Listed, options: RecommendOptions): Promise<readonly Recommendation[]>;
  similar(
    item: string,
    from: Pick<Listed, 'table' | 'catalogue'>,
    options: SimilarOptions,
  ): Promise<readonly Recommendation[]>;
} {
  let facts: TableFacts | undefined;
  const factsOf = (table: KnownTable): TableFacts =>
    facts?.name === table.name ? facts : (facts = tableFacts(table));

  async function ranking(from: Listed, options: RecommendOptions): Promise<Ranking> {
    const { table, catalogue, vector, positives, seen } = from;
    const { k = USUAL_LIST, exclude = [], includeSeen = false, diversity = 0 } = options;
    const { popularityWeight = isFactorization(table.model.config) ? POPULARITY_WEIGHT : 0 } = options;
    const out = keepLocal(leftOut([...(includeSeen ? [] : seen), ...exclude], table, catalogue));
    const pool = { k: diversity > 0 ? Math.max(SMALLEST_POOL, POOL * k) : k, exclude: out };
    const { loaded } = table;
    const known = positives.length;
    const best =
      popularityWeight > 0 && known <= NEWCOMER
        ? bestOf(
            blended(await loaded.score(vector), await factsOf(table).average(), known, popularityWeight),
            pool,
          )
        : await loaded.rank(vector, pool);
    return diversity > 0 ? diverse(best, await factsOf(table).unit(), k, diversity) : best;
  }

  return {
    async recommend(from, options) {
      const { items, scores } = await ranking(from, options);
      const reasons = options.explain === true ? await reasonsOf(from, items) : undefined;
      return Array.from(items, (item, place) => ({
        ...named(item, from),
        score: scores[place] as number,
        ...(reasons === undefined ? {} : { because: reasons[place] as readonly Reason[] }),
      }));
    },
    async similar(item, from, options) {
      const { table, catalogue } = from;
      const own = itemOf(table, catalogue.indexOf(item));
      if (own === undefined) return [];
      const unit = await factsOf(table).unit();
      const cosines = Float32Array.from({ length: unit.values.length / unit.dimension }, (_, other) =>
        productOf(unit, own, other),
      );
      const out = leftOut([item, ...(options.exclude ?? [])], table, catalogue);
      const { items, scores } = bestOf(cosines, { k: options.k ?? USUAL_LIST, exclude: keepLocal(out) });
      return Array.from(items, (other, place) => ({
        ...named(other, from),
        score: scores[place] as number,
      }));
    },
  };
}

/** What follows from a table, whoever asks. */
interface TableFacts {
  readonly name: string;
  unit(): Promise<ItemVectors>;
  average(): Promise<Float32Array>;
}

function tableFacts({ name, model, loaded, shared }: KnownTable): TableFacts {
  let unit: Promise<ItemVectors> | undefined;
  let average: Promise<Float32Array> | undefined;
  const vectors = async (): Promise<ItemVectors> => itemVectors(model, await shared());
  return {
    name,
    unit: () => (unit ??= vectors().then(unitVectors)),
    average: () =>
      (average ??= vectors().then((rows) => averageScores(model, loaded, rows, seededRandom('everybody')))),
  };
}

/** Places in the table that are not to be listed: those of `items`, and of all that are retired. */
function leftOut(items: readonly string[], table: KnownTable, catalogue: Catalogue): Int32Array {
  const rows = [...items.map((item) => catalogue.indexOf(item)), ...catalogue.retired];
  return Int32Array.from(rows.flatMap((row) => itemOf(table, row) ?? []));
}

function named(
  item: number,
  { table, catalogue }: Pick<Listed, 'table' | 'catalogue'>,
): { item: string; title?: string } {
  const row = table.rows?.[item] ?? item;
  const title = catalogue.titles?.[row];
  return { item: catalogue.ids[row] as string, ...given({ title }) };
}

async function reasonsOf(from: Listed, items: Int32Array): Promise<(readonly Reason[])[]> {
  const { table, vector } = from;
  const rows = Array.from(from.positives.slice(-MOST_EXPLAINED), (row) => itemOf(table, row) ?? -1);
  const positives = keepLocal(Int32Array.from(rows.filter((row) => row >= 0)));
  if (positives.length === 0 || items.length === 0) return Array.from(items, () => []);
  const { model, loaded } = table;
  const random = seededRandom('reasons');
  const weights = await reasonsFor({ model, loaded, local: vector, positives, items, random });
  return Array.from(items, (_, place) => {
    const own = weights.subarray(place * positives.length, (place + 1) * positives.length);
    const total = own.reduce((sum, weight) => sum + Math.max(0, weight), 0);
    return [...own.keys()]
      .filter((at) => (own[at] as number) > 0)
      .sort((one, other) => (own[other] as number) - (own[one] as number))
      .slice(0, REASONS)
      .map((at) => ({ ...named(positives[at] as number, from), share: (own[at] as number) / total }));
  });
}
