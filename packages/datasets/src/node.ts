/**
 * Reads data sets from folders and files, packed or not.
 *
 * ```ts
 * import { loadDataset } from '@tutti/datasets/node';
 *
 * const data = await loadDataset('data/ml-1m');
 * console.log(data.users, data.items, data.interactions);
 * ```
 */
export { loadDataset } from './load.ts';
export type { LoadOptions } from './load.ts';
