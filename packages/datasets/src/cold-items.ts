import { seededRandom, UsageError, type SeededRandom } from '@tutti/base';
import type { HeldOut, Interactions, SplitDataset } from './types.ts';

/** A data set of which some items are in nobody's training. */
export interface ColdItems extends SplitDataset {
  /** Those items, ascending. */
  readonly cold: Int32Array;
}

/** How items are held out. */
export interface ColdItemsOptions {
  /** Share of the items, above 0 and below 1; default a tenth. */
  readonly share?: number;
  /** Equal seeds hold out the same items. Default 1. */
  readonly seed?: string | number;
  /** Cold items that a person's is ranked among, at most; default 99. */
  readonly candidates?: number;
}

/** A tenth of the items. */
const SHARE = 0.1;

/** As many candidates as the published protocol has (He et al. 2017). */
const CANDIDATES = 99;

/**
 * The same people over the same catalogue, of which a part of the items is cold: nobody's training has any of them. Each person who touched some is asked about
 * one of them, drawn, among up to 99 other cold items that they did not touch. Only what is said of the items can tell them apart.
 *
 * There are no validation items.
 *
 * @throws {UsageError} if the share is out of range, or leaves fewer than two cold items, or none that anybody touched.
 */
export function coldItems(data: SplitDataset, options: ColdItemsOptions = {}): ColdItems {
  const { share = SHARE, seed = 1, candidates = CANDIDATES } = options;
  if (!(share > 0 && share < 1))
    throw new UsageError(`share is ${share}; a number between 0 and 1 is needed`);
  const random = seededRandom(seed).fork('cold-items');
  const chosen = chosenItems(data.items, share, random.fork('items'));
  if (chosen.size < 2)
    throw new UsageError(`${chosen.size} of ${data.items} items are cold; at least 2 are needed to rank any`);
  const train = without(data.train, chosen);
  const test = heldOutOf(data, chosen, candidates, random);
  if (!test.positives.some((item) => item >= 0))
    throw new UsageError(`nobody touched any of the ${chosen.size} items that are cold`);
  const held = test.positives.filter((item) => item >= 0).length;
  return {
    ...data,
    cold: Int32Array.from(chosen).sort(),
    name: `${data.name}, ${chosen.size} cold items`,
    interactions: train.values.length + held,
    train,
    validation: undefined,
    validationInsideTrain: false,
    test,
  };
}

function chosenItems(items: number, share: number, random: SeededRandom): ReadonlySet<number> {
  const order = Int32Array.from({ length: items }, (_, item) => item);
  const count = Math.round(share * items);
  for (let at = 0; at < count; at++) {
    const other = at + random.int(items - at);
    [order[at], order[other]] = [order[other] as number, order[at] as number];
  }
  return new Set(order.subarray(0, count));
}

function without(train: Interactions, left: ReadonlySet<number>): Interactions {
  const { users, items, timestamps } = train;
  const offsets = new Int32Array(users + 1);
  const kept: number[] = [];
  for (let user = 0; user < users; user++) {
    for (let at = train.offsets[user] as number; at < (train.offsets[user + 1] as number); at++)
      if (!left.has(train.values[at] as number)) kept.push(at);
    offsets[user + 1] = kept.length;
  }
  const values = Int32Array.from(kept, (at) => train.values[at] as number);
  if (timestamps === undefined) return { users, items, offsets, values };
  return {
    users,
    items,
    offsets,
    values,
    timestamps: Float64Array.from(kept, (at) => timestamps[at] as number),
  };
}

function heldOutOf(
  { users, train, validation, test }: SplitDataset,
  cold: ReadonlySet<number>,
  candidates: number,
  random: SeededRandom,
): HeldOut {
  const positives = new Int32Array(users).fill(-1);
  const negatives = Array.from({ length: users }, (_, user) => {
    const seen = new Set(train.values.subarray(train.offsets[user], train.offsets[user + 1]));
    for (const heldOut of [validation, test]) seen.add(heldOut?.positives[user] ?? -1);
    const mine = Array.from(seen).filter((item) => cold.has(item));
    if (mine.length === 0) return new Int32Array(0);
    const stream = random.fork('person', user);
    positives[user] = mine[stream.int(mine.length)] as number;
    return drawn(
      Array.from(cold).filter((item) => !seen.has(item)),
      candidates,
      stream,
    );
  });
  return { positives, negatives };
}

/** `count` of `pool`, or all where there are fewer. */
function drawn(pool: number[], count: number, random: SeededRandom): Int32Array {
  const most = Math.min(count, pool.length);
  for (let at = 0; at < most; at++) {
    const other = at + random.int(pool.length - at);
    [pool[at], pool[other]] = [pool[other] as number, pool[at] as number];
  }
  return Int32Array.from(pool.slice(0, most));
}
