import { generateFilmShelf } from '@tutti/datasets';
import { describe, expect, it } from 'vitest';
import { simulate, type RoundReport, type SimulationOptions } from './index.ts';

const dataset = generateFilmShelf({ seed: 5, users: 60, items: 150 });

const base: SimulationOptions = {
  dataset,
  model: { family: 'mf', dimension: 8 },
  rounds: 3,
  cohort: 20,
  seed: 7,
  workers: 1,
};

/** What must not depend on the machine, the threads or the masks. */
function figures(result: Awaited<ReturnType<typeof simulate>>): unknown {
  const { checkpointHash, final, rounds } = result;
  return {
    checkpointHash,
    final,
    rounds: rounds.map(({ loss, hr10, ndcg10, reported }) => ({ loss, hr10, ndcg10, reported })),
  };
}

describe('a simulation', () => {
  it.each(['mf', 'mlp'] as const)(
    'of %s ends in the same checkpoint with and without masks, with dropouts',
    async (family) => {
      const options: SimulationOptions = {
        ...base,
        model: { family, dimension: 8 },
        cohort: 50,
        dropout: 0.1,
        groupSize: 31,
        noiseMultiplier: 0.01,
      };
      const plain = await simulate({ ...options, protocol: 'plain' });
      const secure = await simulate({ ...options, protocol: 'secure', workers: 2 });
      expect(plain.rounds.flatMap(({ dropped }) => dropped).length).toBeGreaterThan(0);
      expect(figures(secure)).toEqual(figures(plain));
      expect(secure.bytes.upPerClientRound).toBeGreaterThan(plain.bytes.upPerClientRound);
    },
  );

  it('gives the same figures for any number of threads', async () => {
    const one = await simulate({ ...base, protocol: 'plain' });
    const three = await simulate({ ...base, protocol: 'plain', workers: 3 });
    expect(figures(three)).toEqual(figures(one));
  });

  it('trains on the engine that is asked for, and says which it was', async () => {
    const short: SimulationOptions = { ...base, protocol: 'plain', rounds: 1, cohort: 16 };
    const [auto, ts, tfjs] = [
      await simulate(short),
      await simulate({ ...short, engine: 'ts' }),
      await simulate({ ...short, backend: 'wasm' }),
    ];
    expect([auto.backend, ts.backend, tfjs.backend]).toEqual(['simd', 'ts', 'wasm']);
    for (const other of [ts, tfjs])
      expect(other.rounds[0]?.loss).toBeCloseTo(auto.rounds[0]?.loss ?? Number.NaN, 4);
  });

  it('gives other figures for another seed', async () => {
    const a = await simulate({ ...base, protocol: 'plain', rounds: 1 });
    const b = await simulate({ ...base, protocol: 'plain', rounds: 1, seed: 8 });
    expect(b.checkpointHash).not.toBe(a.checkpointHash);
  });

  it('learns: matrix factorisation ends above popularity', async () => {
    const options: SimulationOptions = {
      ...base,
      dataset: generateFilmShelf({ seed: 1 }),
      cohort: 80,
      rounds: 25,
      protocol: 'plain',
    };
    const { final, baselines } = await simulate(options);
    expect(final.sampled.hr10).toBeGreaterThan((baselines['popularity']?.sampled.hr10 ?? 1) + 0.1);
  });

  it('loses a round that too few survive, says why, and goes on', async () => {
    const reports: RoundReport[] = [];
    const run = simulate({
      ...base,
      cohort: 16,
      dropout: 0.6,
      rounds: 2,
      protocol: 'secure',
      onRound: (report) => reports.push(report),
    });
    await run.catch(() => undefined);
    const aborted = reports.filter(({ outcome }) => outcome === 'aborted');
    expect(aborted.length).toBeGreaterThan(0);
    for (const { reason } of aborted) expect(reason).toMatch(/^too-few-/);
  });

  it('adds noise where it is asked for', async () => {
    const quiet = await simulate({ ...base, protocol: 'plain', rounds: 1 });
    const noisy = await simulate({ ...base, protocol: 'plain', rounds: 1, noiseMultiplier: 0.5 });
    expect(noisy.checkpointHash).not.toBe(quiet.checkpointHash);
  });

  it('refuses every wrong option at once, each with its range', async () => {
    await expect(simulate({ ...base, rounds: 0, cohort: 61, dropout: 2 })).rejects.toThrow(
      /rounds: 0 .*\ncohort: 61 .* has 60 people\ndropout: 2/,
    );
    await expect(simulate({ ...base, cohort: 5, protocol: 'secure' })).rejects.toThrow('5 is below 16');
    // What coordination refuses is told in options too.
    await expect(simulate({ ...base, groupSize: 4 })).rejects.toThrow(
      /^groupSize: groups of at most 4 can leave .*\ngroupSize: 4 is below 16, .* aggregation$/,
    );
  });

  it('takes groups of any size where nothing is masked', async () => {
    const small = { ...base, protocol: 'plain', cohort: 40, rounds: 1 } as const;
    for (const combine of ['mean', 'median'] as const) {
      const { rounds } = await simulate({ ...small, groupSize: 8, combine });
      expect(rounds.map(({ outcome, reported }) => [outcome, reported])).toEqual([['committed', 40]]);
    }
  });

  it('is refused, or ends, where people may take part too seldom for its rounds', async () => {
    const few = { ...base, protocol: 'plain', cohort: 40, rounds: 5 } as const;
    await expect(
      simulate({ ...few, privacy: { epsilon: 8, participations: 2, separation: 1 } }),
    ).rejects.toThrow(
      'privacy.participations: 2 of each of 60 people are 120; 5 rounds of 40 people need 200',
    );
    await expect(
      simulate({ ...few, privacy: { epsilon: 8, participations: 5, separation: 2 } }),
    ).rejects.toThrow(
      'privacy.separation: 2 rounds one after another need 80 different people, 40 each; there are 60',
    );
    // Enough for the fewest who may be left of a round, and more of them took part.
    const run = simulate({ ...few, dropout: 0.3, rounds: 3, privacy: { epsilon: 8, participations: 1 } });
    await expect(run).rejects.toThrow(/^round \d cannot begin: \d+ people may be asked, and \d+ are needed/);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const run = simulate({
      ...base,
      rounds: 500,
      protocol: 'plain',
      signal: stop.signal,
      onRound: () => stop.abort(),
    });
    await expect(run).rejects.toThrow();
  });
});
