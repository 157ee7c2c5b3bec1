import { allFinite, bytesOf, DecodeError, UsageError } from '@tutti/base';
import type { StrategyState } from './strategy.ts';

/**
 * "TSS2", step (u32), length of each moment (u32, u32), then the moments as float32. All little-endian; exact to the bit.
 */
const MAGIC = 0x32535354;
const HEADER_BYTES = 16;
const LARGEST_STEP = 0xffff_ffff;

/**
 * The state of a strategy as bytes: 16 + 4·(length of both moments). Equal states give equal bytes.
 * @throws {UsageError} if the step is no whole number below 2³².
 */
export function encodeStrategyState(state: StrategyState): Uint8Array {
  const { step, first, second } = state;
  if (!Number.isInteger(step) || step < 0 || step > LARGEST_STEP)
    throw new UsageError(`step is ${step}; a whole number from 0, below 2^32, is needed`);
  const bytes = new Uint8Array(HEADER_BYTES + 4 * (first.length + second.length));
  const view = new DataView(bytes.buffer);
  [MAGIC, step, first.length, second.length].forEach((word, i) => view.setUint32(4 * i, word, true));
  bytes.set(bytesOf(first), HEADER_BYTES);
  bytes.set(bytesOf(second), HEADER_BYTES + 4 * first.length);
  return bytes;
}

/**
 * A strategy's state from storage. The bytes are copied.
 * @throws {DecodeError} naming the field: not binary, not a state, a length that does not fit, a moment that is not finite,
 *   or a second moment below 0.
 */
export function decodeStrategyState(bytes: unknown): StrategyState {
  if (!(bytes instanceof Uint8Array)) throw new DecodeError('strategyState', 'is not binary');
  if (bytes.length < HEADER_BYTES)
    throw new DecodeError('strategyState', `has ${bytes.length} bytes; at least ${HEADER_BYTES} are needed`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC)
    throw new DecodeError('strategyState.magic', 'is not that of a strategy state of this version');
  const [firstLength, secondLength] = [view.getUint32(8, true), view.getUint32(12, true)];
  const expected = HEADER_BYTES + 4 * (firstLength + secondLength);
  if (bytes.length !== expected)
    throw new DecodeError('strategyState', `has ${bytes.length} bytes; its lengths take ${expected}`);
  const moments = new Float32Array(firstLength + secondLength);
  bytesOf(moments).set(bytes.subarray(HEADER_BYTES));
  const [first, second] = [moments.subarray(0, firstLength), moments.subarray(firstLength)];
  for (const [field, moment] of Object.entries({ first, second }))
    if (!allFinite(moment))
      throw new DecodeError(`strategyState.${field}`, 'holds a number that is not finite');
  if (anyNegative(second)) throw new DecodeError('strategyState.second', 'holds a number below 0');
  return { step: view.getUint32(4, true), first, second };
}

function anyNegative(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if ((values[i] as number) < 0) return true;
  return false;
}
