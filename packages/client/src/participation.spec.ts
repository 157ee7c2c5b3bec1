import { systemRandom, toHex } from '@tutti/base';
import {
  PROTOCOL_VERSION,
  type ClientMessage,
  type CoordinatorMessage,
  type Reply,
  type TaskInfo,
} from '@tutti/protocol';
import { type MaskedInput } from '@tutti/secure-aggregation';
import { portableCrypto as crypto } from '@tutti/secure-aggregation/portable';
import { describe, expect, it, vi } from 'vitest';
import type { Device } from './device.ts';
import type { ParticipationEvent } from './participation-options.ts';
import { createParticipation, leavesAfterMs } from './participation.ts';
import type { Conditions, DeviceMessage } from './ports.ts';

/** The loop against a coordinator that this file plays: no sockets, and a clock on which sleeping takes no time. */

const random = systemRandom();
const coordinator = crypto.signKeyPair(random);
const task = { task: 'films', coordinatorKey: toHex(coordinator.publicKey) } as TaskInfo;
const challenge: CoordinatorMessage = {
  type: 'challenge',
  protocols: [PROTOCOL_VERSION],
  nonce: new Uint8Array(32),
  coordinatorKey: coordinator.publicKey,
};
const describeAttempt = { type: 'describe', description: { attempt: 3 } } as unknown as CoordinatorMessage;
const words = new Uint32Array(200_000) as MaskedInput;

interface Play {
  readonly said: ClientMessage[];
  readonly events: ParticipationEvent[];
  readonly left: () => number;
  readonly slept: number[];
}

/** Takes part until `until` says that enough was seen; `answer` plays the coordinator's replies. */
async function play(options: {
  message: CoordinatorMessage;
  answers: readonly DeviceMessage[];
  answer?: (message: ClientMessage, said: readonly ClientMessage[]) => Reply;
  conditions?: Conditions;
  usualMs?: () => Promise<number>;
  onEvent?: (event: ParticipationEvent) => void;
  until: (said: readonly ClientMessage[]) => boolean;
}): Promise<Play> {
  const said: ClientMessage[] = [];
  const events: ParticipationEvent[] = [];
  const slept: number[] = [];
  const stop = new AbortController();
  let left = 0;
  const device: Device = {
    handle: async () => options.answers,
    vector: () => Promise.reject(new Error('not asked for')),
    leave: () => void left++,
    privacy: () => Promise.reject(new Error('nobody asks')),
  };
  const standard = ({ type }: ClientMessage): Reply =>
    type === 'check-in'
      ? { type: 'waiting', checkAgainMs: 60_000 }
      : type === 'hello'
        ? { type: 'welcome', protocol: PROTOCOL_VERSION }
        : { type: 'accepted' };
  const participation = createParticipation({
    device,
    task,
    identity: crypto.signKeyPair(random),
    crypto,
    random,
    ...(options.usualMs === undefined ? {} : { usualMs: options.usualMs }),
    conditions: options.conditions ?? { check: async () => ({ eligible: true }) },
    clock: {
      now: () => slept.reduce((sum, ms) => sum + ms, 0),
      sleep: async (ms, signal) => {
        if (ms > 30_000) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        // The test's own deadline is a timer: it must get its turn.
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
        slept.push(ms);
      },
    },
    transport: {
      connect: async (handlers) => {
        handlers.onMessage(challenge);
        return {
          request: async (message) => {
            said.push(message);
            if (message.type === 'check-in' && said.filter(({ type }) => type === 'check-in').length === 1)
              queueMicrotask(() => handlers.onMessage(options.message));
            if (options.until(said)) queueMicrotask(() => stop.abort());
            return options.answer?.(message, said) ?? standard(message);
          },
          close: () => undefined,
        };
      },
    },
    onEvent: (event) => {
      events.push(event);
      options.onEvent?.(event);
    },
  });
  const deadline = setTimeout(() => stop.abort(), 2_000);
  await participation.run({ signal: stop.signal }).finally(() => clearTimeout(deadline));
  return { said, events, slept, left: () => left };
}

const frames = (said: readonly ClientMessage[]): number =>
  said.filter(({ type }) => type === 'masked-input').length;
const declined = (said: readonly ClientMessage[]): boolean => said.some(({ type }) => type === 'decline');

describe('taking part', () => {
  it.each([
    ['consent-withdrawn', 'consent-withdrawn'],
    ['on battery', 'not-eligible'],
  ])('ends at once where conditions are gone (%s), also between two messages', async (reason, told) => {
    let checks = 0;
    const conditions: Conditions = {
      check: async () =>
        ++checks <= 2 ? { eligible: true } : { eligible: false, reason, retryAfterMs: 60_000 },
    };
    const trained = vi.fn();
    const { said, left } = await play({
      message: describeAttempt,
      answers: [],
      conditions,
      onEvent: (event) => void (event.type === 'round' && trained()),
      until: declined,
    });
    expect(said.find(({ type }) => type === 'decline')).toMatchObject({ attempt: 3, reason: told });
    expect(left()).toBeGreaterThan(0);
  });

  it('sends a frame again that there was no room for, later each time', async () => {
    let refusals = 0;
    const { said, slept } = await play({
      message: { type: 'relay-shares', attempt: 3 } as CoordinatorMessage,
      answers: [{ type: 'masked-input', attempt: 3, words, wordBits: 32 }],
      answer: (message, before) =>
        message.type !== 'masked-input'
          ? (undefined as unknown as Reply)
          : refusals++ < 3
            ? { type: 'refused', reason: 'too-busy', field: 'message', problem: 'later' }
            : { type: 'accepted', next: frames(before) - 3 },
      until: (before) => frames(before) === 7,
    });
    expect(frames(said)).toBe(7);
    expect(slept.slice(0, 3)).toEqual([250, 500, 1_000]);
  });

  it.each<[string, Reply]>([
    ['says for ever that the first frame is next', { type: 'accepted', next: 0 }],
    [
      'asks for a frame that is none',
      { type: 'refused', reason: 'frame-out-of-order', field: 'index', problem: 'next', next: 60_000 },
    ],
  ])('does not upload without end to a coordinator that %s', async (_name, reply) => {
    const { said } = await play({
      message: { type: 'relay-shares', attempt: 3 } as CoordinatorMessage,
      answers: [{ type: 'masked-input', attempt: 3, words, wordBits: 32 }],
      answer: ({ type }) => (type === 'masked-input' ? reply : (undefined as unknown as Reply)),
      until: (before) => frames(before) > 50,
    });
    expect(frames(said)).toBeLessThan(12);
  });

  it('stops at once when it is told to while it checks in, and does not wait for the next message', async () => {
    const started = performance.now();
    await play({
      message: describeAttempt,
      answers: [],
      until: (said) => said.some(({ type }) => type === 'check-in'),
    });
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  it('wipes what an attempt holds however it ends', async () => {
    const run = play({
      message: describeAttempt,
      answers: [],
      onEvent: ({ type }) => {
        if (type === 'disconnected') throw new Error('a listener that fails');
      },
      answer: () => ({ type: 'refused', reason: 'bad-signature', field: 'x', problem: 'x' }),
      until: () => false,
    });
    await expect(run).rejects.toThrow('a listener that fails');
  });
});

describe('a coordinator without room', () => {
  it('is left alone for as long as it asks', async () => {
    const stop = new AbortController();
    const slept: number[] = [];
    const full = Object.assign(new Error('too-busy'), { data: { retryAfterMs: 90_000 } });
    const participation = createParticipation({
      device: { leave: () => undefined } as unknown as Device,
      ...{ task, crypto, random, identity: crypto.signKeyPair(random) },
      conditions: { check: async () => ({ eligible: true }) },
      clock: {
        now: () => 0,
        sleep: async (ms) => {
          slept.push(ms);
          if (slept.length === 2) stop.abort();
        },
      },
      transport: {
        connect: () =>
          Promise.reject(
            slept.length === 0 ? new Error('no connection', { cause: full }) : new Error('gone'),
          ),
      },
    });
    await participation.run({ signal: stop.signal });
    expect(slept[0]).toBe(90_000);
    expect(slept[1]).toBeLessThan(1_500);
  });
});

describe('the time at which an answer leaves', () => {
  it('is a power of two times the unit: few values, whatever the training took', () => {
    expect([0, 10, 249, 250, 499, 500, 3_000, 100_000].map((took) => leavesAfterMs(took, 250))).toEqual([
      250, 250, 250, 500, 500, 1_000, 4_000, 128_000,
    ]);
  });

  it('follows from what training usually takes here, for a person with few interactions too', async () => {
    const ready: DeviceMessage = { type: 'advertise-keys', attempt: 3, bundle: new Uint8Array(0) };
    const { slept } = await play({
      message: describeAttempt,
      answers: [ready],
      usualMs: async () => 300,
      until: (said) => said.some(({ type }) => type === 'advertise-keys'),
    });
    // No time passed in training, yet the answer waits as that of a person would who has many: twice 300, up to a class.
    expect(slept).toContain(1_000);
  });
});
