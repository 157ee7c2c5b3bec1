import { DecodeError } from '@tutti/base';
import {
  decodeStrategyState,
  encodeStrategyState,
  type Strategy,
  type StrategyState,
} from '@tutti/aggregation';

/** What a coordinator keeps of a content model beside its table. It stands where other families keep their strategy's state. */
export interface ContentState {
  /** P: columns × d. */
  readonly weights: Float32Array;
  /** For each row, what the sums so far tell of it; other than 0 for rows that somebody touched. */
  readonly evidence: Float32Array;
  /** For each row, how many sums it was part of. */
  readonly rounds: Uint32Array;
  /** For each row, how many updates its own part had. */
  readonly steps: Uint32Array;
  /** The strategy's moments of the own parts E, items × d; its step says nothing. */
  readonly own: StrategyState;
  /** The strategy's state of P. */
  readonly content: StrategyState;
}

/** The state before the first round: `items` rows of d numbers that nobody touched. */
export function initContentState(
  strategy: Pick<Strategy, 'init'>,
  weights: Float32Array,
  items: number,
  d: number,
): ContentState {
  return {
    weights,
    evidence: new Float32Array(items),
    rounds: new Uint32Array(items),
    steps: new Uint32Array(items),
    own: strategy.init(items * d),
    content: strategy.init(weights.length),
  };
}

/** The state of a catalogue that grew to `items` rows: nobody has touched the new ones. */
export function grownContentState(
  state: ContentState,
  strategy: Pick<Strategy, 'init'>,
  items: number,
  d: number,
): ContentState {
  const next = initContentState(strategy, state.weights, items, d);
  next.evidence.set(state.evidence);
  next.rounds.set(state.rounds);
  next.steps.set(state.steps);
  next.own.first.set(state.own.first);
  next.own.second.set(state.own.second);
  return { ...next, content: state.content };
}

/** "TCS1", rows, numbers of P, bytes of the moments of E (u32 each), then P, evidence, rounds, steps, and the two states. */
const MAGIC = 0x31534354;
const HEADER_BYTES = 16;

/** The state as bytes, all little-endian: equal states give equal bytes. */
export function encodeContentState({
  weights,
  evidence,
  rounds,
  steps,
  own,
  content,
}: ContentState): Uint8Array {
  const [ownBytes, contentBytes] = [encodeStrategyState(own), encodeStrategyState(content)];
  const words = weights.length + 3 * evidence.length;
  const bytes = new Uint8Array(HEADER_BYTES + 4 * words + ownBytes.length + contentBytes.length);
  const view = new DataView(bytes.buffer);
  [MAGIC, evidence.length, weights.length, ownBytes.length].forEach((word, i) =>
    view.setUint32(4 * i, word, true),
  );
  let at = HEADER_BYTES;
  for (const floats of [weights, evidence])
    for (let i = 0; i < floats.length; i++, at += 4) view.setFloat32(at, floats[i] as number, true);
  for (const counts of [rounds, steps])
    for (let i = 0; i < counts.length; i++, at += 4) view.setUint32(at, counts[i] as number, true);
  bytes.set(ownBytes, at);
  bytes.set(contentBytes, at + ownBytes.length);
  return bytes;
}

/**
 * A state from storage.
 * @param form rows of the catalogue, and the numbers of P.
 * @throws {DecodeError} naming the field: another length, or a number that is not finite.
 */
export function decodeContentState(
  bytes: unknown,
  form: { readonly items: number; readonly weights: number },
): ContentState {
  if (!(bytes instanceof Uint8Array)) throw new DecodeError('contentState', 'is not binary');
  const words = form.weights + 3 * form.items;
  const least = HEADER_BYTES + 4 * words;
  if (bytes.length < least)
    throw new DecodeError('contentState', `has ${bytes.length} bytes; at least ${least} are needed`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [magic, items, weights, ownBytes] = [0, 4, 8, 12].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  if (magic !== MAGIC)
    throw new DecodeError('contentState.magic', 'is not that of a content state of this version');
  if (items !== form.items || weights !== form.weights)
    throw new DecodeError(
      'contentState',
      `is of ${items} items and ${weights} numbers; ${form.items} and ${form.weights} are expected`,
    );
  const counts = HEADER_BYTES + 4 * (weights + items);
  return {
    weights: floatsFrom(view, HEADER_BYTES, weights, 'weights'),
    evidence: floatsFrom(view, HEADER_BYTES + 4 * weights, items, 'evidence'),
    rounds: wordsFrom(view, counts, items),
    steps: wordsFrom(view, counts + 4 * items, items),
    own: decodeStrategyState(bytes.subarray(least, least + ownBytes)),
    content: decodeStrategyState(bytes.subarray(least + ownBytes)),
  };
}

function floatsFrom(view: DataView, from: number, count: number, field: string): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = view.getFloat32(from + 4 * i, true);
  if (!values.every(Number.isFinite))
    throw new DecodeError(`contentState.${field}`, 'holds a number that is not finite');
  return values;
}

function wordsFrom(view: DataView, from: number, count: number): Uint32Array {
  const values = new Uint32Array(count);
  for (let i = 0; i < count; i++) values[i] = view.getUint32(from + 4 * i, true);
  return values;
}
