import { UsageError } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import {
  analyticGaussianEpsilon,
  composeRdp,
  createLedger,
  EMPTY_LEDGER,
  gaussianRdp,
  rdpToEpsilon,
  recordRelease,
  skellamRdp,
  spent,
  subsampledRdp,
  treeRdp,
  type Ledger,
  type Release,
} from './index.ts';

const gaussian = (noiseMultiplier: number, sampling: number | null = null) =>
  ({ mechanism: 'gaussian', noiseMultiplier, sampling }) as const;
const skellam = (variance: number, sampling: number | null = null) =>
  ({ mechanism: 'skellam', l1: 4000, l2: 100, variance, sampling }) as const;
const record = (ledger: Ledger, ...rounds: (Release | Release[])[]): Ledger =>
  rounds.reduce(recordRelease, ledger);
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
    expect(spent(ledger, 1e-5)).toEqual({
      coordinator: analyticGaussianEpsilon(1 / Math.sqrt(10), 1e-5),
      readers: null,
    });
  });

  it('adds the RDP of unlike releases, within a round and between rounds', () => {
    const ledger = record(EMPTY_LEDGER, [skellam(1e6), skellam(2e6)], skellam(1e6), {
      mechanism: 'tree',
      noiseMultiplier: 8,
      steps: 100,
      sampling: null,
    });
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
    const rounds = [skellam(4e6, 0.1), skellam(1e6, 0.1), skellam(4e6, 0.1), skellam(1e6, 0.1)];
    const { coordinator, readers } = spent(record(capped, ...rounds), 1e-5);
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
    expect(readers).toBeLessThan(coordinator / 2);
    expect(spent(record(sampled, skellam(1e6)), 1e-5).readers).toBeNull();
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
    () => spent(EMPTY_LEDGER, 0),
  ])('refuses what cannot be (%#)', (call) => {
    expect(call).toThrow(UsageError);
  });
});
