import { fromHex, seededRandom, utf8 } from '@tutti/base';
import { bandedCoefficients } from '@tutti/privacy';
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { describe, expect, it } from 'vitest';
import { FACTS, smallTask } from '../test/small-task.ts';
import { CentralNoise, drawVariance } from './central-noise.ts';
import { describeAttempt } from './describe.ts';
import { EMPTY_HISTORY, type TaskHistory } from './history.ts';
import type { NoiseDraw } from './journal.ts';
import { memoryStore } from './memory.ts';
import { checkNoiseHistory } from './noise-history.ts';
import type { Store } from './ports.ts';
import type { MechanismConfig, TaskConfig } from './task-config.ts';

const once = { most: 1, separation: 1 };
const taskWith = (mechanism: MechanismConfig, multiplier = 2): TaskConfig =>
  smallTask({ noise: { multiplier, metricMultiplier: 4, mechanism } });
const tree = taskWith({ name: 'tree', steps: 8 });
const banded = taskWith({ name: 'banded', steps: 8, coefficients: bandedCoefficients(8, once) });

const withDraws = (noiseDraws: readonly (NoiseDraw | undefined)[]): TaskHistory => ({
  ...EMPTY_HISTORY,
  noiseDraws,
});
const roundOf = (config: TaskConfig, round: number) =>
  describeAttempt(config, { ...FACTS, round, attempt: round });
const noiseOf = (store: Store, seed: string): CentralNoise =>
  new CentralNoise('films', { store, crypto: portableCrypto, words: seededRandom(seed) });

/** Rounds 1 .. count, each committed; `restart` opens the coordinator anew before each. */
async function run(config: TaskConfig, count: number, store: Store, restart: boolean) {
  const lanes: number[][] = [];
  const draws: NoiseDraw[] = [];
  let noise = noiseOf(store, 'run');
  for (let round = 1; round <= count; round++) {
    if (restart) noise = noiseOf(store, `run ${round}`);
    const added = await noise.of(roundOf(config, round), withDraws(draws));
    if (added?.draw === undefined) throw new Error('no correlated noise');
    lanes.push([...added.lanes]);
    draws.push(added.draw);
  }
  return { lanes, draws };
}

/** The increments that journal and secret stand for, made in one go by a coordinator that was never there. */
async function again(config: TaskConfig, store: Store, draws: readonly NoiseDraw[]): Promise<number[][]> {
  const lanes: number[][] = [];
  for (let round = 1; round <= draws.length; round++) {
    // The salt of the round itself is drawn anew; its increment is asked for as a part of the next round's past.
    const salt = fromHex(draws[round - 1]?.salt ?? '', 'salt', 32);
    let at = 0;
    const words = {
      // Metric noise first (as long as it likes), then the salt: the stream ends with the words of the salt.
      uint32: () => new DataView(salt.buffer).getUint32(4 * (at++ % 8), true),
    };
    const noise = new CentralNoise('films', { store, crypto: portableCrypto, words });
    const description = roundOf({ ...config, metrics: false }, round);
    const added = await noise.of(description, withDraws(draws.slice(0, round - 1)));
    lanes.push([...(added?.lanes ?? [])].slice(0, 40));
  }
  return lanes;
}

describe('the coordinator’s noise', () => {
  it('is none where devices add it, or nobody does', async () => {
    const noise = noiseOf(memoryStore(), 'none');
    for (const config of [smallTask(), smallTask({ noise: { multiplier: 1, metricMultiplier: 1 } })])
      expect(await noise.of(roundOf(config, 1), EMPTY_HISTORY)).toBeUndefined();
  });

  it('has z·D2 on every delta lane and its own on metric lanes, none on weights: 500 rounds of 40 lanes', async () => {
    // 20,000 draws: the sample variance has a relative deviation of 1 %; five of them (false alarm 6e-7).
    const config = taskWith({ name: 'gaussian' }, 3);
    const noise = noiseOf(memoryStore(), 'gaussian');
    const description = roundOf(config, 1);
    if (description.noise.mechanism !== 'gaussian') throw new Error('no noise');
    let [delta, metric, other] = [0, 0, 0];
    for (let round = 0; round < 500; round++) {
      const added = await noise.of(description, EMPTY_HISTORY);
      added?.lanes.forEach((value, lane) => {
        if (lane < 40) delta += value * value;
        else if (lane >= 42) metric += value * value;
        else other += Math.abs(value);
      });
      expect(added?.draw).toBeUndefined();
    }
    expect(Math.abs(delta / 20_000 / drawVariance(description, description.noise) - 1)).toBeLessThan(0.05);
    const metricVariance = (4 * description.scale.metric) ** 2;
    expect(Math.abs(metric / 2_000 / metricVariance - 1)).toBeLessThan(5 * Math.sqrt(2 / 2_000));
    expect(other).toBe(0);
  });

  it('of a measurement is independent, also where rounds have correlated noise', async () => {
    const description = describeAttempt(
      smallTask({ noise: { ...tree.noise, accounting: { dpDelta: 1e-5 } } }),
      { ...FACTS, purpose: 'evaluate' },
    );
    expect(description.noise.mechanism).toBe('gaussian');
    expect((await noiseOf(memoryStore(), 'evaluate').of(description, EMPTY_HISTORY))?.draw).toBeUndefined();
  });
});

describe.each([
  ['tree', tree],
  ['banded', banded],
] as const)('correlated noise, %s', (_, config) => {
  it('follows from the secret in the store and the salts in the journal, whoever makes it again', async () => {
    const store = memoryStore();
    const { lanes, draws } = await run(config, 12, store, false);
    expect(await again(config, store, draws)).toEqual(lanes.map((round) => round.slice(0, 40)));
  });

  it('is neither forgotten nor used twice by a coordinator that is killed between any two rounds', async () => {
    const store = memoryStore();
    const { lanes, draws } = await run(config, 12, store, true);
    expect(await again(config, store, draws)).toEqual(lanes.map((round) => round.slice(0, 40)));
    expect(new Set(draws.map(({ salt }) => salt)).size).toBe(12);
  });

  it('draws anew for a round that was summed but not committed: one draw is never on two sums', async () => {
    const store = memoryStore();
    const noise = noiseOf(store, 'twice');
    const first = await noise.of(roundOf(config, 1), EMPTY_HISTORY);
    const second = await noise.of(roundOf(config, 1), EMPTY_HISTORY);
    expect(first?.draw?.salt).not.toBe(second?.draw?.salt);
    expect(first?.lanes).not.toEqual(second?.lanes);
    // The one that was committed is what the next round takes back.
    const history = withDraws([second?.draw]);
    const next = await noise.of(roundOf(config, 2), history);
    const expected = await again(config, store, [second?.draw as NoiseDraw, next?.draw as NoiseDraw]);
    expect([...(next?.lanes ?? [])].slice(0, 40)).toEqual(expected[1]);
  });

  it('is another for another secret, and for another task', async () => {
    const { draws } = await run(config, 3, memoryStore(), false);
    const [a, b] = [memoryStore(), memoryStore()];
    await a.put('noise-secret/films', utf8('a'.repeat(32)));
    await b.put('noise-secret/films', utf8('b'.repeat(32)));
    expect(await again(config, a, draws)).not.toEqual(await again(config, b, draws));
  });

  it('cannot change over a task: the check names both sides', async () => {
    const { draws } = await run(config, 2, memoryStore(), false);
    const record = {} as TaskHistory['rounds'][number];
    const history = { ...withDraws(draws), rounds: [record, record] };
    expect(() => checkNoiseHistory(config, history)).not.toThrow();
    expect(() => checkNoiseHistory(config, EMPTY_HISTORY)).not.toThrow();
    const louder = smallTask({ noise: { ...config.noise, multiplier: 3 } });
    expect(() => checkNoiseHistory(louder, history)).toThrow('cannot change');
    const began = { ...history, noiseDraws: [undefined, draws[1]] };
    expect(() => checkNoiseHistory(config, began)).toThrow('cannot change');
    expect(() => checkNoiseHistory(smallTask(), { ...history, noiseDraws: [] })).not.toThrow();
  });
});
