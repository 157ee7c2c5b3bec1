import { frameOf, type ClientMessageOf, type Reply } from '@tutti/protocol';
import type { ClientId, MaskedInput } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import { GatewayInputs, type Counted, type InputOwner } from './gateway-inputs.ts';
import { addPadsInPlace } from './pads.ts';
import type { NodeId } from './sealing.ts';
import type { Ticket } from './words.ts';

const client = (number: number): ClientId => number.toString(16).padStart(32, '0') as ClientId;
const ACCEPTED: Reply = { type: 'accepted' };
const TOO_LATE: Reply = { type: 'refused', reason: 'too-late', field: 'attempt', problem: 'closed' };
const HERE: Counted = { reply: ACCEPTED, isHere: true };
const ticket: Ticket = { attempt: 7, group: 1, words: 4, wordBits: 32 };
const frame = (words: readonly number[], attempt = 7): ClientMessageOf<'masked-input'> =>
  frameOf(attempt, Uint32Array.from(words) as MaskedInput, 0, 32);

/** Inputs whose owner says what a case wants. */
function inputsOf(owner: Partial<InputOwner> = {}): GatewayInputs {
  const inputs = new GatewayInputs(
    { ...{ mayUpload: async () => TOO_LATE, count: async () => HERE }, ...owner },
    { nowMs: () => 0 },
  );
  for (const number of [1, 2, 3]) inputs.expect(client(number), ticket);
  return inputs;
}

describe('inputs at a gateway', () => {
  it('are one part of the sum, of exactly those that counted', async () => {
    const inputs = inputsOf();
    expect(await inputs.frame(client(1), frame([1, 2, 3, 4]))).toEqual(ACCEPTED);
    expect(await inputs.frame(client(2), frame([10, 20, 30, 0xffffffff]))).toEqual(ACCEPTED);
    expect(inputs.part(ticket, [client(2), client(1)])).toEqual(Uint32Array.of(11, 22, 33, 3));
    // A part that was asked for stays, for its answer may be lost.
    expect(inputs.part(ticket, [client(1), client(2)])).toEqual(Uint32Array.of(11, 22, 33, 3));
    inputs.drop(ticket);
    expect(inputs.isEmpty).toBe(true);
  });

  it('that are sent twice count once', async () => {
    const inputs = inputsOf();
    await inputs.frame(client(1), frame([1, 1, 1, 1]));
    expect(await inputs.frame(client(1), frame([1, 1, 1, 1]))).toEqual(ACCEPTED);
    expect(inputs.part(ticket, [client(1)])).toEqual(Uint32Array.of(1, 1, 1, 1));
  });

  it('that count at another gateway, or come too late, are in no part here', async () => {
    const answers: Counted[] = [
      { reply: ACCEPTED, isHere: false },
      { reply: TOO_LATE, isHere: true },
    ];
    const inputs = inputsOf({ count: async () => answers.shift() ?? HERE });
    expect(await inputs.frame(client(1), frame([1, 1, 1, 1]))).toEqual(ACCEPTED);
    expect(await inputs.frame(client(2), frame([2, 2, 2, 2]))).toEqual(TOO_LATE);
    expect(await inputs.frame(client(3), frame([3, 3, 3, 3]))).toEqual(ACCEPTED);
    expect(inputs.part(ticket, [client(3)])).toEqual(Uint32Array.of(3, 3, 3, 3));
  });

  it('whose owner counted them, and whose answer was lost, are in the part that is asked for', async () => {
    const inputs = inputsOf({ count: () => Promise.reject(new Error('no answer')) });
    await expect(inputs.frame(client(1), frame([1, 2, 3, 4]))).rejects.toThrow('no answer');
    await expect(inputs.frame(client(2), frame([9, 9, 9, 9]))).rejects.toThrow('no answer');
    expect(inputs.part(ticket, [client(1)])).toEqual(Uint32Array.of(1, 2, 3, 4));
    inputs.dropBefore(8);
    expect(inputs.isEmpty).toBe(true);
  });

  it('that do not fit what was counted are told, and give no part', async () => {
    const inputs = inputsOf();
    await inputs.frame(client(1), frame([1, 2, 3, 4]));
    expect(inputs.part(ticket, [client(1), client(2)])).toBe('1 inputs are missing and 0 were not counted');
    expect(inputs.part(ticket, [])).toBe('0 inputs are missing and 1 were not counted');
  });

  it('are refused by name: of another size, and of an attempt that is not', async () => {
    const inputs = inputsOf();
    expect(await inputs.frame(client(1), frame([1, 2, 3]))).toMatchObject({ reason: 'malformed' });
    expect(await inputs.frame(client(1), frame([1, 2, 3, 4], 6))).toEqual(TOO_LATE);
    expect(inputs.isEmpty).toBe(true);
  });

  it('have the bytes of their frames, and wipe what is refused, added or given up', async () => {
    const isWiped = ({ bytes }: { bytes: Uint8Array }): boolean => bytes.every((byte) => byte === 0);
    const whole = [1, 2, 3, 4];
    const [added, again, other, short] = [frame(whole), frame(whole), frame(whole, 6), frame([1])];
    const inputs = inputsOf();
    for (const one of [added, again, other]) await inputs.frame(client(1), one);
    await inputs.frame(client(2), short);
    expect([added, again, other, short].map(isWiped)).toEqual([true, true, true, true]);
    const unheard = inputsOf({ count: () => Promise.reject(new Error('no answer')) });
    const pending = frame(whole);
    await expect(unheard.frame(client(1), pending)).rejects.toThrow('no answer');
    expect(isWiped(pending)).toBe(false);
    unheard.drop(ticket);
    expect(isWiped(pending)).toBe(true);
  });

  it('of a newer attempt end what is left of an older one', async () => {
    const inputs = inputsOf();
    await inputs.frame(client(1), frame([1, 2, 3, 4]));
    inputs.expect(client(1), { ...ticket, attempt: 8 });
    expect(inputs.isEmpty).toBe(true);
    expect(inputs.part(ticket, [client(1)])).toBe('1 inputs are missing and 0 were not counted');
  });
});

describe('pads', () => {
  it('hide a part of one client, and cancel in the sum', () => {
    const gateways = ['a', 'b', 'c'] as readonly string[] as readonly NodeId[];
    const parts = gateways.map((_, i) => Uint32Array.of(i + 1, 100, 0xffffffff));
    const padded = parts.map((part) => part.slice());
    padded.forEach((part, i) =>
      addPadsInPlace(part, {
        ...{ self: gateways[i] as NodeId, gateways, salt: 'salt' },
        ...{ secret: new Uint8Array(32), crypto: nodeCrypto },
      }),
    );
    for (const [i, part] of padded.entries()) expect(part).not.toEqual(parts[i]);
    const sum = padded.reduce((all, part) => all.map((word, i) => word + (part[i] as number)));
    // 1 + 2 + 3, 3 · 100, 3 · (2³² − 1) modulo 2³²
    expect(sum).toEqual(Uint32Array.of(6, 300, 0xfffffffd));
  });
});
