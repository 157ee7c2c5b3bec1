import type { CoordinatorMessage, DeclineReason, RoundDescription } from '@tutti/protocol';
import { describe, expect, it } from 'vitest';
import { fallsSilent } from './dropout.ts';
import { hostedDevices } from './hosted-devices.ts';
import type { ContributionRequest, Declining } from './thread.ts';
import { uploadBytes } from './upload-bytes.ts';

const described = (attempt: number): RoundDescription =>
  ({ attempt, lanes: { length: 100 }, wordBits: 32 }) as RoundDescription;
const describing = (attempt: number): CoordinatorMessage => ({
  ...{ type: 'describe', description: described(attempt), signature: new Uint8Array(64) },
});
const asking = (attempt: number, group: number): CoordinatorMessage => ({
  ...{ type: 'relay-shares', attempt, group, shares: new Uint8Array(0), signature: new Uint8Array(64) },
});

/** Devices whose threads are asked nothing but what stands in `asked`. */
function hosted(dropout = 0, declining: readonly Declining[] = [], refusal?: DeclineReason) {
  const asked: [number, ContributionRequest][] = [];
  const deliver = hostedDevices(
    { seed: 's', dropout },
    () => refusal,
    async (thread, request) => {
      asked.push([thread, request]);
      return declining;
    },
  );
  return { asked, deliver };
}

describe('devices of plain attempts', () => {
  it('are ready without being asked, and train for their groups', async () => {
    const { asked, deliver } = hosted(0, [{ user: 4, reason: 'training-failed' }]);
    const message = describing(3);
    const ready = await deliver(
      1,
      [2, 4].map((user) => ({ user, message })),
    );
    expect(ready.map(({ user }) => user)).toEqual([2, 4]);
    for (const { answers } of ready)
      expect(answers).toEqual([{ type: 'advertise-keys', attempt: 3, bundle: new Uint8Array(0) }]);
    expect(asked).toEqual([]);
    const given = await deliver(1, [
      { user: 2, message: asking(3, 0) },
      { user: 4, message: asking(3, 1) },
    ]);
    expect(asked).toEqual([
      [
        1,
        {
          kind: 'contribute',
          description: described(3),
          members: [
            [2, 0],
            [4, 1],
          ],
        },
      ],
    ]);
    expect(given).toEqual([
      { user: 2, answers: [{ type: 'input-added', attempt: 3, bytes: uploadBytes(100, 32) }] },
      { user: 4, answers: [{ type: 'decline', attempt: 3, reason: 'training-failed' }] },
    ]);
  });

  it('decline what their policy refuses, before anybody trains', async () => {
    const { deliver } = hosted(0, [], 'noise-too-weak');
    const answers = [{ type: 'decline', attempt: 3, reason: 'noise-too-weak' }];
    expect(await deliver(0, [{ user: 2, message: describing(3) }])).toEqual([{ user: 2, answers }]);
  });

  it('are not trained for an attempt that is over', async () => {
    const { asked, deliver } = hosted();
    await deliver(0, [{ user: 2, message: describing(3) }]);
    await deliver(0, [{ user: 2, message: describing(4) }]);
    expect(await deliver(0, [{ user: 2, message: asking(3, 0) }])).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('fall silent where they would', async () => {
    const { deliver } = hosted(0.5);
    const users = Array.from({ length: 200 }, (_, user) => user);
    for (const message of [describing(7), asking(7, 0)]) {
      const answered = await deliver(
        0,
        users.map((user) => ({ user, message })),
      );
      const expected = users.filter((user) => !fallsSilent('s', 0.5, 7, user, message.type, 'plain'));
      expect(answered.map(({ user }) => user)).toEqual(expected);
      expect(expected.length).toBeLessThan(200);
    }
  });
});
