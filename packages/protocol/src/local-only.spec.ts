import { keepLocal } from '@tutti/base';
import type { MaskedInput } from '@tutti/secure-aggregation';
import { describe, expect, it } from 'vitest';
import { SAMPLES } from '../test/samples.ts';
import { encodeMessage } from './codec.ts';
import { frameOf } from './frames.ts';

/**
 * What must stay on the device does not type-check where something is encoded. Each `@ts-expect-error` is an
 * assertion that `tsc` checks: should a local value become encodable, the comment is unused and the build fails.
 * The calls stand in functions that nobody calls.
 */
const interactions = keepLocal(Int32Array.of(1, 5, 9));
const taste = keepLocal(Float32Array.of(0.1, -0.2));
const sealed = keepLocal(new Uint8Array(64));

describe('local values cannot be encoded', () => {
  it('not as a message of their own', () => {
    // @ts-expect-error a local value is no message
    const attempt = () => encodeMessage(interactions);
    expect(attempt).toBeTypeOf('function');
  });

  it('not as a binary part', () => {
    // @ts-expect-error `shares` is local
    const shares = () => encodeMessage({ type: 'share-keys', attempt: 1, shares: sealed });
    const bundle = () =>
      // @ts-expect-error `bundle` is local
      encodeMessage({ type: 'advertise-keys', attempt: 1, bundle: keepLocal(new Uint8Array(1)) });
    expect([shares, bundle]).toHaveLength(2);
  });

  it('not as a field of the header', () => {
    // @ts-expect-error `attempt` is local
    const number = () => encodeMessage({ type: 'decline', attempt: keepLocal(3), reason: 'no-data' });
    const text = () =>
      // @ts-expect-error `problem` is local
      encodeMessage({ type: 'refused', reason: 'malformed', field: 'x', problem: keepLocal('liked 7') });
    expect([number, text]).toHaveLength(2);
  });

  it('not inside a record that a message holds', () => {
    const { description, signature } = SAMPLES.describe;
    const lanes = { ...description.lanes, delta: keepLocal(6400) };
    const nested = () =>
      // @ts-expect-error `description.lanes.delta` is local
      encodeMessage({ type: 'describe', description: { ...description, lanes }, signature });
    // @ts-expect-error the whole record is local
    const whole = () => encodeMessage(keepLocal({ type: 'decline', attempt: 1, reason: 'no-data' } as const));
    expect([nested, whole]).toHaveLength(2);
  });

  it('not beside the fields of a message', () => {
    // @ts-expect-error no message has such a field
    const extra = () => encodeMessage({ type: 'check-in', interactions });
    expect(extra).toThrow('check-in.interactions: is not a field of this message');
  });

  it('not as frames: only masked words have a codec', () => {
    // @ts-expect-error a person's vector is not masked input
    const local = () => frameOf(1, taste, 0, 32);
    // @ts-expect-error unmasked words are not masked input
    const unmasked = () => frameOf(1, new Uint32Array(4), 0, 32);
    // @ts-expect-error a model delta is not masked input
    const delta = () => frameOf(1, new Float32Array(4), 0, 32);
    expect([local, unmasked, delta]).toHaveLength(3);
    expect(frameOf(1, new Uint32Array(4) as MaskedInput, 0, 32).totalBytes).toBe(16);
  });

  it('while what may be sent still type-checks', () => {
    expect(encodeMessage({ type: 'decline', attempt: 1, reason: 'no-data' })).toBeInstanceOf(Uint8Array);
    for (const message of Object.values(SAMPLES))
      expect(encodeMessage(message as never).length).toBeGreaterThan(3);
  });
});
