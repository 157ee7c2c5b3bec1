/**
 * Ratings data as a leave-one-out split: a seeded synthetic generator, and parsers for the files that recommenders are
 * published on. Runs anywhere; `@tutti/datasets/node` reads folders.
 *
 * ```ts
 * import { generateFilmShelf } from '@tutti/datasets';
 *
 * const shelf = generateFilmShelf({ seed: 7 });
 * const first = shelf.train.values[0] as number;
 * console.log(shelf.users, shelf.items, shelf.catalogue.titles?.[first]);
 * ```
 */
export { coldItems } from './cold-items.ts';
export type { ColdItems, ColdItemsOptions } from './cold-items.ts';
export { DatasetFormatError, DatasetNotFoundError } from './errors.ts';
export type { Place } from './errors.ts';
export { generateFilmShelf } from './film-shelf.ts';
export type { FilmShelf, FilmShelfOptions } from './film-shelf.ts';
export type { NamedBytes, Separator } from './line-reader.ts';
export { splitFromNcf } from './ncf.ts';
export type { NcfFiles } from './ncf.ts';
export { parseMovieLensRatings } from './ratings.ts';
export { leaveOneOut } from './split.ts';
export type { LeaveOneOutOptions, SplitOptions } from './split.ts';
export type { Catalogue, HeldOut, Interactions, ItemText, Ratings, SplitDataset } from './types.ts';
