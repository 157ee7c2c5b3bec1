import { toHex } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { AUTHORITY_KEY, committed, openStory, taskConfig } from './federation.ts';

/** A coordinator whose wall clock jumps. Deadlines run on timers, which do not; only what is dated sees it. */

const HOURS_MS = 5 * 3_600_000;
/** Past the end of the tokens of stories, in milliseconds. */
const PAST_TOKENS_MS = 1_100_000_000_000;
describe('a clock that jumps in mid-round', () => {
  it.each([
    ['forward', HOURS_MS],
    ['back', -HOURS_MS],
  ])('by hours, %s: the round is committed, and so is the next one', async (_way, jumpMs) => {
    const story = await openStory({ count: 8, config: taskConfig({ rounds: 3 }) });
    await story.gather();
    story.wall.aheadMs = jumpMs;
    const first = committed(await story.untilEnd());
    expect(first.durationMs).toBeGreaterThanOrEqual(0);
    await story.gather();
    story.wall.aheadMs = 0;
    expect(committed(await story.untilEnd())).toMatchObject({ round: 2 });
  });

  it('leaves the pace of rounds as it was, but for what a round can take', async () => {
    const deadlinesMs = { train: 5_000, shareKeys: 5_000, maskedInput: 5_000, unmask: 5_000 };
    const story = await openStory({ count: 8, config: taskConfig({ rounds: 3, deadlinesMs }) });
    await story.gather();
    story.wall.aheadMs = HOURS_MS;
    await story.untilEnd();
    const reply = await story.coordination.handle(story.clients[0]!.id, { type: 'check-in' });
    // No round takes longer than 30 s of deadlines and a minute for the sum. It weighs 0.3 in the mean, and whoever waits asks again after at most 30 such
    // rounds; five hours would be cut to the longest pause, an hour.
    const mostMs = 30 * (0.7 * 10_000 + 0.3 * 90_000);
    expect(reply).toMatchObject({ type: 'waiting' });
    expect((reply as { checkAgainMs: number }).checkAgainMs).toBeLessThanOrEqual(mostMs);
  });

  it('past the end of the devices’ tokens: attempts end by name, and go on once it is right again', async () => {
    const config = taskConfig({
      rounds: 3,
      identity: { level: 'enrolled', authority: toHex(AUTHORITY_KEY.publicKey) },
    });
    const story = await openStory({ count: 8, config });
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'committed' });
    story.wall.aheadMs = PAST_TOKENS_MS;
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'aborted', reason: 'too-few-ready' });
    story.wall.aheadMs = 0;
    await story.gather();
    expect(await story.untilEnd()).toMatchObject({ type: 'committed', record: { round: 2 } });
  });
});
