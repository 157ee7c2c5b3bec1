/** Bytes of blobs that are kept at hand: every client of a round fetches the same model. */
const MOST_BYTES = 2 ** 26;

/** Blobs at hand, the ones that were asked for last; whoever asks at the same time shares one read. */
export interface BlobCache {
  get(hash: string): Promise<Uint8Array | undefined>;
  /** Forgets a blob that was deleted. */
  drop(hash: string): void;
}

/** A cache in front of `read`, of at most `mostBytes`. */
export function blobCache(
  read: (hash: string) => Promise<Uint8Array | undefined>,
  mostBytes = MOST_BYTES,
): BlobCache {
  const kept = new Map<string, Uint8Array>();
  const reading = new Map<string, Promise<Uint8Array | undefined>>();
  let size = 0;
  function forget(hash: string): void {
    size -= kept.get(hash)?.length ?? 0;
    kept.delete(hash);
  }
  function keep(hash: string, bytes: Uint8Array): void {
    forget(hash);
    kept.set(hash, bytes);
    size += bytes.length;
    // The newest stays, however large: else the model that everybody fetches would be read for each of them.
    for (const oldest of kept.keys()) if (size > mostBytes && oldest !== hash) forget(oldest);
  }
  async function fetch(hash: string): Promise<Uint8Array | undefined> {
    const mine = read(hash);
    reading.set(hash, mine);
    try {
      const bytes = await mine;
      // It may have been deleted while it was read.
      if (bytes !== undefined && reading.get(hash) === mine) keep(hash, bytes);
      return bytes;
    } finally {
      if (reading.get(hash) === mine) reading.delete(hash);
    }
  }
  return {
    async get(hash) {
      const found = kept.get(hash);
      if (found === undefined) return reading.get(hash) ?? fetch(hash);
      keep(hash, found);
      return found;
    },
    drop(hash) {
      forget(hash);
      reading.delete(hash);
    },
  };
}
