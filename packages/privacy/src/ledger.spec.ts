import { UsageError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import {
  analyticGaussianEpsilon,
  composeRdp,
  createLedger,
  EMPTY_LEDGER,
  gaussianRdp,
  pldEpsilon,
  rdpToEpsilon,
  recordCorrelated,
  recordRelease,
  skellamRdp,
  spent,
  subsampledRdp,
  treeRdp,
  type CorrelatedRelease,
  type Ledger,
  type Release,
} from './index.ts';

const gaussian = (noiseMultiplier: number, sampling: number | null = null) =>
  ({ mechanism: 'gaussian', noiseMultiplier, sampling }) as const;
const skellam = (variance: number, sampling: number | null = null) =>
  ({ mechanism: 'skellam', l1: 4000, l2: 100, variance, sampling }) as const;
const record = (ledger: Ledger, ...rounds: (Release | Release[])[]): Ledger =>
  rounds.reduce(recordRelease, ledger);
const tree = (steps: number, noiseMultiplier: number): CorrelatedRelease => ({
  noise: { mechanism: 'tree', steps },
  noiseMultiplier,
  participation: { most: 100, separation: steps },
});
const rounds = (ledger: Ledger, release: CorrelatedRelease, count: number): Ledger =>
  Array.from({ length: count }).reduce<Ledger>((grown) => recordCorrelated(grown, release), ledger);
const epsilonOf = (...parts: Parameters<typeof composeRdp>[0][number][]) =>
  rdpToEpsilon(composeRdp(parts), 1e-5).epsilon;

describe('the ledger', () => {
  it('has spent nothing at first', () => {
    expect(spent(createLedger(), 1e-5)).toEqual({ coordinator: 0, readers: 0 });
  });

  it('is a value: recording gives another, equal rounds are counted, and it survives JSON', () => {
    const one = record(EMPTY_LEDGER, gaussian(2));
    const three = record(one, skellam(1e6), gaussian(2));
    expect(EMPTY_LEDGER.rounds).toEqual([]);
    expect(one.rounds).toEqual([{ releases: [gaussian(2)], times: 1 }]);
    expect(three.rounds.map(({ times }) => times)).toEqual([2, 1]);
    expect(spent(JSON.parse(JSON.stringify(three)) as Ledger, 1e-5)).toEqual(spent(three, 1e-5));
  });

  it('k equal Gaussian releases cost the coordinator’s view the analytic value at z/√k', () => {
    const ledger = record(EMPTY_LEDGER, ...Array.from({ length: 10 }, () => gaussian(1)));
    const epsilon = analyticGaussianEpsilon(1 / Math.sqrt(10), 1e-5);
    expect(spent(ledger, 1e-5)).toEqual({ coordinator: epsilon, readers: epsilon });
  });

  it('adds the RDP of unlike releases, within a round and between rounds', () => {
    const noisy = record(EMPTY_LEDGER, [skellam(1e6), skellam(2e6)], skellam(1e6));
    const ledger = rounds(noisy, tree(128, 8), 100);
    expect(spent(ledger, 1e-5).coordinator).toBeCloseTo(
      epsilonOf(
        { rdp: skellamRdp(skellam(1e6)), times: 2 },
        { rdp: skellamRdp(skellam(2e6)), times: 1 },
        { rdp: treeRdp(8, 100), times: 1 },
      ),
      12,
    );
  });

  it('counts the costliest rounds up to the participation cap, for the coordinator only', () => {
    const capped = createLedger({ participationCap: 3 });
    const four = [skellam(4e6, 0.1), skellam(1e6, 0.1), skellam(4e6, 0.1), skellam(1e6, 0.1)];
    const { coordinator, readers } = spent(record(capped, ...four), 1e-5);
    const [cheap, costly] = [skellamRdp(skellam(4e6)), skellamRdp(skellam(1e6))];
    expect(coordinator).toBeCloseTo(epsilonOf({ rdp: costly, times: 2 }, { rdp: cheap, times: 1 }), 12);
    expect(readers).toBeCloseTo(
      epsilonOf({ rdp: subsampledRdp(costly, 0.1), times: 2 }, { rdp: subsampledRdp(cheap, 0.1), times: 2 }),
      12,
    );
    const gaussians = record(capped, ...Array.from({ length: 9 }, () => gaussian(2)));
    expect(spent(gaussians, 1e-5).coordinator).toBe(analyticGaussianEpsilon(1 / Math.sqrt(0.75), 1e-5));
  });

  it('a cap counts rounds, not the releases of a round', () => {
    const round = [skellam(1e6), skellam(2e6)];
    const capped = record(createLedger({ participationCap: 1 }), round, round, round);
    expect(spent(capped, 1e-5)).toEqual(spent(record(EMPTY_LEDGER, round), 1e-5));
  });

  it('claims amplification only where every release was sampled in secret', () => {
    const sampled = record(EMPTY_LEDGER, skellam(1e6, 0.05));
    const { coordinator, readers } = spent(sampled, 1e-5);
    expect(readers).toBeLessThan((coordinator as number) / 2);
    const mixed = spent(record(sampled, skellam(1e6)), 1e-5);
    expect(mixed.readers).toBe(mixed.coordinator);
    const correlated = spent(rounds(sampled, tree(4, 8), 1), 1e-5);
    expect(correlated.readers).toBe(correlated.coordinator);
  });

  it('amplifies a round as a whole: its releases share one sample, so each alone would promise too much', () => {
    const parts = [skellam(1e6, 0.05), skellam(1e6, 0.05)];
    const curve = skellamRdp(skellam(1e6));
    const both = spent(record(EMPTY_LEDGER, parts), 1e-5).readers;
    expect(both).toBeCloseTo(
      epsilonOf({ rdp: subsampledRdp((order) => 2 * curve(order), 0.05), times: 1 }),
      12,
    );
    expect(both).toBeGreaterThan(epsilonOf({ rdp: subsampledRdp(curve, 0.05), times: 2 }));
    expect(() => recordRelease(EMPTY_LEDGER, [skellam(1e6, 0.05), skellam(1e6)])).toThrow(
      'at 0.05 and at null',
    );
  });

  it('answers equal sampled Gaussian rounds by PLD: (.04, 1.5, 2249) is 6.767051 (Google), 7.33 by RDP', () => {
    let ledger = record(EMPTY_LEDGER, gaussian(1.5, 0.04));
    ledger = { ...ledger, rounds: ledger.rounds.map((round) => ({ ...round, times: 2249 })) };
    expect(Math.abs(spent(ledger, 1e-5).readers - 6.767051)).toBeLessThan(1e-4);
    // Two releases of z√2 from one sample are one of z.
    const split = gaussian(1.5 * Math.SQRT2, 0.04);
    let two = record(EMPTY_LEDGER, [split, split]);
    two = { ...two, rounds: two.rounds.map((round) => ({ ...round, times: 10 })) };
    const whole = pldEpsilon({ noiseMultiplier: 1.5, sampling: 0.04, rounds: 10 }, 1e-5);
    expect(spent(two, 1e-5).readers).toBeCloseTo(whole, 6);
  });

  it('lets readers profit of the noise of all groups, the coordinator of that of one', () => {
    const grouped = record(EMPTY_LEDGER, { ...skellam(1e6), readersVariance: 4e6 });
    expect(spent(grouped, 1e-5)).toEqual({
      coordinator: spent(record(EMPTY_LEDGER, skellam(1e6)), 1e-5).coordinator,
      readers: spent(record(EMPTY_LEDGER, skellam(4e6)), 1e-5).readers,
    });
  });

  it('holds nothing against a coordinator that added the noise itself', () => {
    const central = record(EMPTY_LEDGER, skellam(1e6), { ...gaussian(2), trusted: true });
    expect(spent(central, 1e-5).coordinator).toBeNull();
    expect(spent(central, 1e-5).readers).toBeGreaterThan(0);
    expect(spent(rounds(EMPTY_LEDGER, { ...tree(4, 2), trusted: true }, 3), 1e-5).coordinator).toBeNull();
  });

  it('counts rounds of correlated noise as the one mechanism that they are', () => {
    // 1,600 steps of one tree: 11 nodes; 1,023 of them: 10. Then the next tree.
    const epsilon = (count: number) => spent(rounds(EMPTY_LEDGER, tree(1600, 8.83), count), 1e-6).readers;
    expect(epsilon(1600)).toBeCloseTo(analyticGaussianEpsilon(8.83 / Math.sqrt(11), 1e-6), 12);
    expect(epsilon(1023)).toBeCloseTo(analyticGaussianEpsilon(8.83 / Math.sqrt(10), 1e-6), 12);
    expect(epsilon(1601)).toBeCloseTo(analyticGaussianEpsilon(8.83 / Math.sqrt(12), 1e-6), 12);
    const both = record(rounds(EMPTY_LEDGER, tree(1600, 8.83), 1600), gaussian(4));
    expect(spent(both, 1e-6).readers).toBeCloseTo(
      analyticGaussianEpsilon(1 / Math.sqrt(11 / 8.83 ** 2 + 1 / 16), 1e-6),
      12,
    );
  });

  it('never tells readers more than the coordinator', () => {
    const { coordinator, readers } = spent(record(EMPTY_LEDGER, gaussian(1, 1)), 1e-5);
    expect(coordinator).toBeLessThan(rdpToEpsilon(gaussianRdp(1), 1e-5).epsilon);
    expect(readers).toBe(coordinator);
  });

  it.each([
    () => createLedger({ participationCap: 0 }),
    () => recordRelease(EMPTY_LEDGER, []),
    () => recordRelease(EMPTY_LEDGER, gaussian(0)),
    () => recordRelease(EMPTY_LEDGER, gaussian(1, 0)),
    () => recordRelease(EMPTY_LEDGER, gaussian(1, 1.5)),
    () => recordRelease(EMPTY_LEDGER, skellam(Number.NaN)),
    () => recordRelease(EMPTY_LEDGER, { ...skellam(1e6), readersVariance: 0 }),
    () => recordCorrelated(EMPTY_LEDGER, tree(0, 1)),
    () => recordCorrelated(EMPTY_LEDGER, tree(4, 0)),
    () => spent(EMPTY_LEDGER, 0),
  ])('refuses what cannot be (%#)', (call) => {
    expect(call).toThrow(UsageError);
  });
});
