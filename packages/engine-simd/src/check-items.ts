import { UsageError } from '@tutti/base';

/**
 * Refuses items outside the catalogue before they become addresses. The item is not named: it may be somebody's.
 * @throws {UsageError}
 */
export function checkItems(named: Int32Array, items: number): void {
  for (const item of named)
    if (item < 0 || item >= items) throw new UsageError(`an item outside the catalogue of ${items} items`);
}
