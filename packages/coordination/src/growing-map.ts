/** A map that grows and never changes otherwise: each addition gives a new map, and the old one stays as it was. */
export interface GrowingMap<Key, Value> extends ReadonlyMap<Key, Value> {
  /** This map and one entry more. @throws {TypeError} where the key is there already. */
  with(key: Key, value: Value): GrowingMap<Key, Value>;
}

/** A growing map of nothing. */
export function growingMap<Key, Value>(): GrowingMap<Key, Value> {
  return new View<Key, Value>(new Map(), 0);
}

/**
 * One version of the map. Versions share their entries: a version of size n sees the first n of them. Adding to the newest
 * version appends, so a round of n clients costs n steps and not n²; adding to an older one copies what it sees.
 */
class View<Key, Value> implements GrowingMap<Key, Value> {
  constructor(
    private readonly shared: Map<Key, { readonly place: number; readonly value: Value }>,
    readonly size: number,
  ) {}

  with(key: Key, value: Value): GrowingMap<Key, Value> {
    if (this.has(key)) throw new TypeError('the key is in the map already');
    const newest = this.shared.size === this.size;
    const entries = newest ? this.shared : new Map([...this.shared].slice(0, this.size));
    entries.set(key, { place: this.size, value });
    return new View(entries, this.size + 1);
  }

  get(key: Key): Value | undefined {
    const entry = this.shared.get(key);
    return entry !== undefined && entry.place < this.size ? entry.value : undefined;
  }

  has(key: Key): boolean {
    return (this.shared.get(key)?.place ?? this.size) < this.size;
  }

  forEach(callback: (value: Value, key: Key, map: ReadonlyMap<Key, Value>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }

  *entries(): MapIterator<[Key, Value]> {
    for (const [key, { place, value }] of this.shared) {
      if (place >= this.size) return;
      yield [key, value];
    }
  }

  *keys(): MapIterator<Key> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.entries();
  }
}
