import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { browserConditions, DEFAULT_ELIGIBILITY, steadyNow, type PageState } from './conditions.ts';

/** What a browser says of itself; the page says the rest. */
const browser = (says: { onLine?: boolean; connection?: { saveData: boolean } }): void =>
  void vi.stubGlobal('navigator', { onLine: true, ...says });

const HIDDEN: PageState = { visible: false, touchedAt: 0 };
const READ: PageState = { visible: true, touchedAt: 0 };

const check = (page: PageState, eligibility = {}, moment: 'begin' | 'go-on' = 'begin') =>
  browserConditions({ ...DEFAULT_ELIGIBILITY, ...eligibility }, () => page).check(moment);

describe('when a device takes part', () => {
  beforeEach(() => browser({}));
  afterEach(() => vi.unstubAllGlobals());

  it('begins in a page that nobody sees, or nobody touches', async () => {
    expect(await check(HIDDEN)).toEqual({ eligible: true });
    expect(await check(READ)).toEqual({ eligible: true });
  });

  it('leaves a page alone that is in use, and looks again when that may be over', async () => {
    const answer = await check({ visible: true, touchedAt: steadyNow() - 1_500 });
    expect(answer).toMatchObject({ eligible: false, reason: 'in-use' });
    const { retryAfterMs } = answer as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(400);
    expect(retryAfterMs).toBeLessThanOrEqual(500);
    expect(await check({ visible: true, touchedAt: steadyNow() }, { idleMs: 0 })).toEqual({ eligible: true });
  });

  it('does not begin hidden where the app says so', async () => {
    expect(await check(HIDDEN, { hidden: false })).toMatchObject({ eligible: false, reason: 'hidden' });
  });

  it('saves data where the person asked for it, unless the app says otherwise', async () => {
    browser({ connection: { saveData: true } });
    expect(await check(HIDDEN)).toMatchObject({ eligible: false, reason: 'save-data' });
    expect(await check(HIDDEN, { saveData: true })).toEqual({ eligible: true });
    browser({ connection: { saveData: false } });
    expect(await check(HIDDEN)).toEqual({ eligible: true });
  });

  it.each([
    [{ charging: false, level: 0.29 }, false],
    [{ charging: false, level: 0.3 }, true],
    [{ charging: true, level: 0.01 }, true],
  ])('spares a battery: %j', async (battery, eligible) => {
    expect(await check({ ...HIDDEN, battery })).toMatchObject(
      eligible ? { eligible } : { eligible, reason: 'battery' },
    );
  });

  it('finishes a round that began whatever the person does, but not without a network', async () => {
    browser({ connection: { saveData: true } });
    const busy = {
      visible: true,
      touchedAt: steadyNow(),
      battery: { charging: false, level: 0 },
    };
    expect(await check(busy, {}, 'go-on')).toEqual({ eligible: true });
    browser({ onLine: false });
    for (const moment of ['begin', 'go-on'] as const)
      expect(await check(HIDDEN, {}, moment)).toMatchObject({ eligible: false, reason: 'offline' });
  });
});
