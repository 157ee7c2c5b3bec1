import { describe, expect, it } from 'vitest';
import { pointsFrom } from '../test/points.ts';
import { follow, type Follower, type Point, type Tracker } from './index.ts';

/** A follower over a tracker that can be away, and a clock of the test's own. */
function surroundings() {
  const kept: number[] = [];
  const problems: unknown[] = [];
  const retries: number[] = [];
  const state = { rounds: [] as Point[], isAway: false, lastStep: -1, opened: 0, ending: '' };
  let retry: (() => void) | undefined;
  const tracker: Tracker = {
    name: 'test',
    get lastStep() {
      return state.lastStep;
    },
    async write(points) {
      await Promise.resolve();
      if (state.isAway) throw new Error('away');
      kept.push(...points.map(({ step }) => step));
    },
    close: async (ending) => void (state.ending = ending),
  };
  const follower: Follower = follow({
    pointsAfter: (step) => state.rounds.filter((point) => point.step > step),
    async open() {
      if (state.isAway) throw new Error('away');
      state.opened++;
      return tracker;
    },
    onProblem: (problem) => void problems.push(problem),
    after(delayMs, callback) {
      retries.push(delayMs);
      retry = callback;
      return () => (retry = undefined);
    },
  });
  return {
    follower,
    kept,
    problems,
    retries,
    state,
    retry: () => retry?.(),
    pending: () => retry !== undefined,
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

describe('following a run', () => {
  it('keeps each point once, in order, however often it is nudged', async () => {
    const { follower, kept, state } = surroundings();
    for (let round = 1; round <= 20; round++) {
      state.rounds.push(...pointsFrom(round, 1));
      follower.nudge();
      follower.nudge();
      if (round % 3 === 0) await turn();
    }
    await follower.close('finished');
    expect(kept).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(state).toMatchObject({ opened: 1, ending: 'finished' });
  });

  it('begins behind what the tracker holds of an earlier process', async () => {
    const { follower, kept, state } = surroundings();
    state.lastStep = 3;
    state.rounds.push(...pointsFrom(1, 5));
    follower.nudge();
    await turn();
    expect(kept).toEqual([4, 5]);
  });

  it('tells of trouble once, tries again ever more seldom, and keeps all that it missed', async () => {
    const { follower, kept, problems, retries, state, retry } = surroundings();
    state.isAway = true;
    for (let round = 1; round <= 10; round++) {
      state.rounds.push(...pointsFrom(round, 1));
      follower.nudge();
      await turn();
      retry();
      await turn();
    }
    expect(problems).toHaveLength(1);
    expect(retries.slice(0, 4)).toEqual([2_000, 4_000, 8_000, 16_000]);
    expect(Math.max(...retries)).toBeLessThanOrEqual(300_000);
    state.isAway = false;
    retry();
    await turn();
    expect(kept).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    // The next trouble is told again.
    state.isAway = true;
    state.rounds.push(...pointsFrom(11, 1));
    follower.nudge();
    await turn();
    expect(problems).toHaveLength(2);
  });

  it('tries a last time when it closes, says that it failed, and asks for no further try', async () => {
    const { follower, state, pending } = surroundings();
    state.isAway = true;
    state.rounds.push(...pointsFrom(1, 1));
    follower.nudge();
    await turn();
    await expect(follower.close('stopped')).rejects.toThrow('away');
    expect(pending()).toBe(false);
    follower.nudge();
    await turn();
    expect(pending()).toBe(false);
    await follower.close('stopped');
  });
});
