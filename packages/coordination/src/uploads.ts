import { DecodeError, wipe } from '@tutti/base';
import {
  frameCount,
  openUpload,
  takeFrame,
  wipeUpload,
  type ClientMessageOf,
  type FrameResult,
  type Reply,
  type Upload,
} from '@tutti/protocol';
import type { ClientId, WordBits } from '@tutti/secure-aggregation';
import { refused } from './groups.ts';

/** What became of a frame: the whole upload, which belongs to nobody else now, or an answer. */
export type Taken =
  { readonly kind: 'complete'; readonly upload: Upload } | { readonly kind: 'reply'; readonly reply: Reply };

/** An upload that rested so long gives its place to another that begins, in milliseconds; its client begins again. */
const IDLE_MS = 10_000;

/** When a client is to try again that finds no place, in milliseconds. */
const FULL_RETRY_MS = 1_000;

/** Uploads of an attempt that may be half done at a time, where nothing else is said. */
export const HALF_OPEN_UPLOADS = 4_096;

interface HalfOpen {
  readonly upload: Upload;
  readonly touchedMs: number;
}

/** The uploads of one attempt that are not whole yet: one of each client, and so many of all. */
export class Uploads {
  /** The one that rested longest comes first. */
  readonly #open = new Map<ClientId, HalfOpen>();

  /** @param words length of each vector. @param most uploads that may be half done at a time. */
  constructor(
    private readonly words: number,
    private readonly wordBits: WordBits,
    private readonly most = HALF_OPEN_UPLOADS,
  ) {}

  /**
   * Takes a frame, whose bytes belong here from now on: what is not kept of them is wiped. Repeated frames change nothing, and frames that
   * do not fit are refused by name.
   */
  take(client: ClientId, frame: ClientMessageOf<'masked-input'>, nowMs: number): Taken {
    const known = this.#open.get(client);
    if (known === undefined && !this.#mayBegin(nowMs)) return unused(frame, full(this.most));
    const result = resultOf(known?.upload ?? openUpload(this.words, this.wordBits), frame);
    if ('type' in result) return unused(frame, result);
    if (result.kind === 'out-of-order') return unused(frame, outOfOrder(result.expected));
    const { kind, upload } = result;
    this.#open.delete(client);
    if (kind === 'complete') return { kind, upload };
    this.#open.set(client, { upload, touchedMs: nowMs });
    const reply: Reply = { type: 'accepted', next: upload.frames.length };
    return kind === 'repeated' ? unused(frame, reply) : { kind: 'reply', reply };
  }

  /** Wipes and forgets what is not whole: inputs are closed. */
  clear(): void {
    for (const client of this.#open.keys()) this.#forget(client);
  }

  /** Whether one more may begin: where all places are taken, the one that rests makes room. */
  #mayBegin(nowMs: number): boolean {
    // A vector of one frame is whole at once.
    if (this.#open.size < this.most || frameCount(this.words, this.wordBits) === 1) return true;
    const [oldest] = this.#open;
    if (oldest === undefined || nowMs - oldest[1].touchedMs < IDLE_MS) return false;
    this.#forget(oldest[0]);
    return true;
  }

  #forget(client: ClientId): void {
    const half = this.#open.get(client);
    if (half !== undefined) wipeUpload(half.upload);
    this.#open.delete(client);
  }
}

/** Wipes a frame of which nothing is kept. */
function unused({ bytes }: ClientMessageOf<'masked-input'>, reply: Reply): Taken {
  wipe(bytes);
  return { kind: 'reply', reply };
}

function resultOf(upload: Upload, frame: ClientMessageOf<'masked-input'>): FrameResult | Reply {
  try {
    return takeFrame(upload, frame);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return refused('malformed', error.problem, error.field);
  }
}

const full = (most: number): Reply => ({
  type: 'refused',
  reason: 'too-busy',
  field: 'index',
  problem: `${most} uploads are half done`,
  retryAfterMs: FULL_RETRY_MS,
});

const outOfOrder = (expected: number): Reply => ({
  type: 'refused',
  reason: 'frame-out-of-order',
  field: 'index',
  problem: `frame ${expected} is expected`,
  next: expected,
});
