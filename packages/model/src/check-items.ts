import { UsageError } from '@tutti/base';
import type { LoadedModel } from './types.ts';

/**
 * Refuses items outside the catalogue before they become addresses. The item is not named: it may be somebody's.
 * @throws {UsageError}
 */
export function checkItems(named: Int32Array, items: number): void {
  for (const item of named)
    if (item < 0 || item >= items) throw new UsageError(`an item outside the catalogue of ${items} items`);
}

/** `loaded`, which refuses items outside the catalogue: backends of TensorFlow.js would read beside their tables, each in its way. */
export function withCheckedItems(items: number, loaded: LoadedModel): LoadedModel {
  return {
    async train(local, data, random) {
      checkItems(data.positives, items);
      if (data.heldOut !== undefined)
        checkItems(Int32Array.of(data.heldOut.item, ...data.heldOut.candidates), items);
      return loaded.train(local, data, random);
    },
    async personalize(local, data, random) {
      checkItems(data.positives, items);
      return loaded.personalize(local, data, random);
    },
    async score(local, named) {
      if (named !== undefined) checkItems(named, items);
      return loaded.score(local, named);
    },
    async rank(local, options) {
      if (options.exclude !== undefined) checkItems(options.exclude, items);
      return loaded.rank(local, options);
    },
    dispose: () => loaded.dispose(),
  };
}
