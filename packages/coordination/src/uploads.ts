import { DecodeError, wipe } from '@tutti/base';
import { openUpload, takeFrame, type ClientMessageOf, type Reply, type Upload } from '@tutti/protocol';
import type { ClientId, WordBits } from '@tutti/secure-aggregation';
import { refused } from './groups.ts';

/** What became of a frame: the whole vector, which belongs to nobody else now, or an answer. */
export type Taken =
  | { readonly kind: 'complete'; readonly words: Uint32Array }
  | { readonly kind: 'reply'; readonly reply: Reply };

/** The uploads of one attempt that are not whole yet. */
export class Uploads {
  readonly #open = new Map<ClientId, Upload>();

  /** @param words length of each vector. */
  constructor(
    private readonly words: number,
    private readonly wordBits: WordBits,
  ) {}

  /** Takes a frame; repeated frames change nothing, and frames that do not fit are refused by name. */
  take(client: ClientId, frame: ClientMessageOf<'masked-input'>): Taken {
    const upload = this.#open.get(client) ?? openUpload(this.words, this.wordBits);
    try {
      const result = takeFrame(upload, frame);
      if (result.kind === 'out-of-order') return { kind: 'reply', reply: outOfOrder(result.expected) };
      if (result.kind === 'complete') {
        this.#open.delete(client);
        return { kind: 'complete', words: result.upload.words };
      }
      this.#open.set(client, result.upload);
      return { kind: 'reply', reply: { type: 'accepted', next: result.upload.next } };
    } catch (error) {
      if (error instanceof DecodeError)
        return { kind: 'reply', reply: refused('malformed', error.problem, error.field) };
      throw error;
    }
  }

  /** Wipes and forgets what is not whole: inputs are closed. */
  clear(): void {
    for (const { words } of this.#open.values()) wipe(words);
    this.#open.clear();
  }
}

const outOfOrder = (expected: number): Reply => ({
  type: 'refused',
  reason: 'frame-out-of-order',
  field: 'index',
  problem: `frame ${expected} is expected`,
  next: expected,
});
