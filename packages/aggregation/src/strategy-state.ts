import { DecodeError } from '@tutti/base';
import type { StrategyState } from './strategy.ts';

/** "TSS1", step (u32), length (u32), then both moments as little-endian float32: exact to the bit. */
const MAGIC = 0x31535354;
const HEADER_BYTES = 12;

/** The state of a strategy as bytes. */
export function encodeStrategyState(state: StrategyState): Uint8Array {
  const { length } = state.first;
  const bytes = new Uint8Array(HEADER_BYTES + 8 * length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, state.step, true);
  view.setUint32(8, length, true);
  for (let i = 0; i < length; i++) {
    view.setFloat32(HEADER_BYTES + 4 * i, state.first[i] as number, true);
    view.setFloat32(HEADER_BYTES + 4 * (length + i), state.second[i] as number, true);
  }
  return bytes;
}

/** A strategy's state from outside. @throws {DecodeError} naming what is wrong. */
export function decodeStrategyState(bytes: unknown): StrategyState {
  if (!(bytes instanceof Uint8Array)) throw new DecodeError('strategyState', 'is not binary');
  if (bytes.length < HEADER_BYTES)
    throw new DecodeError('strategyState', `has ${bytes.length} bytes; at least ${HEADER_BYTES} are needed`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC)
    throw new DecodeError('strategyState.magic', 'is not that of a strategy state');
  const length = view.getUint32(8, true);
  if (bytes.length !== HEADER_BYTES + 8 * length)
    throw new DecodeError(
      'strategyState',
      `has ${bytes.length} bytes; ${length} parameters take ${HEADER_BYTES + 8 * length}`,
    );
  const read = (from: number, field: string): Float32Array =>
    Float32Array.from({ length }, (_, i) => {
      const value = view.getFloat32(from + 4 * i, true);
      if (!Number.isFinite(value))
        throw new DecodeError(`strategyState.${field}`, 'holds a number that is not finite');
      return value;
    });
  return {
    step: view.getUint32(4, true),
    first: read(HEADER_BYTES, 'first'),
    second: read(HEADER_BYTES + 4 * length, 'second'),
  };
}
