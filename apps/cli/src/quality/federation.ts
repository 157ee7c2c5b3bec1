import type { SplitDataset } from '@tutti/datasets';
import { openNodeEngine } from '@tutti/engine-simd/node';
import { createModel, resolveModelConfig, type ModelConfig, type ModelFamily } from '@tutti/model';
import {
  openEvaluator,
  simulate,
  type Fit,
  type RoundReport,
  type SimulationOptions,
} from '@tutti/simulation';
import type { EngineFlags } from '../engine-options.ts';
import { modelInputOf, type ModelFlags } from '../model-options.ts';
import { factsOf } from './central.ts';
import { roundChooser, type ChosenRound } from './choose-round.ts';
import { reportOver, type CentralPlan, type Comparison } from './compare.ts';
import type { Bench, MethodReport } from './measure.ts';

/** What a command line says of the family and its federation. */
export interface FamilyFlags extends EngineFlags, ModelFlags {
  readonly model?: ModelFamily;
  readonly rounds: number;
  readonly cohort?: { count: number } | { share: number };
  readonly protocol: 'plain' | 'secure';
  readonly fit: Fit;
  readonly workers?: number | string;
}

/** The workers that people are spread over, where there are to be some. */
export type HostsOption = Pick<SimulationOptions, 'hosts'>;

/** The family under test, and how it is trained. */
export interface Family {
  readonly input: SimulationOptions['model'];
  readonly cohort: number;
  readonly central: CentralPlan;
}

export async function openFamily(
  flags: FamilyFlags,
  bench: Bench,
  { hosts, signal }: Pick<FederationRun, 'hosts' | 'signal'>,
): Promise<Family> {
  const { model: family = 'mf', cohort: asked, rounds, engine, backend, fit } = flags;
  const { data, train, breathe } = bench;
  const input = modelInputOf(family, flags);
  const config: ModelConfig = resolveModelConfig(input, factsOf(train));
  const tenth = Math.min(data.users, Math.max(16, Math.round(data.users / 10)));
  const cohort =
    asked === undefined
      ? tenth
      : 'count' in asked
        ? asked.count
        : Math.max(1, Math.round(asked.share * data.users));
  const opened = await openNodeEngine({ model: createModel(config, data.items), engine, backend });
  const parts = Math.max(1, Math.round(data.users / cohort));
  const evaluator = await openEvaluator({
    ...{ dataset: data, fit, engine: opened.engine, choice: { engine, backend } },
    ...{ breathe, signal, ...hosts },
  });
  return { input, cohort, central: { engine: opened.engine, evaluator, steps: rounds, parts } };
}

/** What the federation is simulated with, besides the family. */
export interface FederationRun {
  readonly flags: FamilyFlags;
  readonly validation: SplitDataset['validation'];
  readonly hosts: HostsOption;
  readonly signal: AbortSignal;
}

/** The federation with each seed, measured on its own devices, and the round that validation items would have chosen. */
export async function benchFederation(
  family: Family,
  comparison: Comparison,
  { flags, validation, hosts, signal }: FederationRun,
): Promise<{
  report: MethodReport;
  rounds: { seed: number; reports: readonly RoundReport[] }[];
  chosen: ({ seed: number } & ChosenRound)[];
}> {
  const { bench, seeds, screen } = comparison;
  const { engine, evaluator } = family.central;
  const rounds: { seed: number; reports: readonly RoundReport[] }[] = [];
  const chosen: ({ seed: number } & ChosenRound)[] = [];
  const report = await reportOver(seeds, comparison, async (seed) => {
    const doing = `federation, seed ${seed}`;
    screen.step(doing);
    const chooser = roundChooser(evaluator, engine.model.layout, validation);
    let people: Parameters<NonNullable<SimulationOptions['onRanked']>>[0] = [];
    const result = await simulate({
      ...simulationOptions(flags, family, bench.data),
      ...hosts,
      seed,
      signal,
      onProgress: ({ done, total, within, phase }) =>
        screen.progress(done + within, total, `${doing} ${phase}`),
      onCheckpoint: (round, bytes) => chooser.offer(round, bytes),
      onRanked: (ranked) => void (people = ranked),
    });
    rounds.push({ seed, reports: result.rounds });
    const best = await chooser.chosen();
    if (best !== undefined) chosen.push({ seed, ...best });
    return { seed, people, newcomers: () => evaluator.newcomers(chooser.last()) };
  });
  return { report, rounds, chosen };
}

/** Checkpoints looked at for the choice of a round. */
const LOOKS = 6;

/** What a federation of the bench is simulated with. */
export function simulationOptions(
  flags: FamilyFlags,
  { input, cohort }: Family,
  dataset: SplitDataset,
): SimulationOptions {
  return {
    dataset,
    model: input,
    rounds: flags.rounds,
    cohort,
    protocol: flags.protocol,
    fit: flags.fit,
    engine: flags.engine,
    backend: flags.backend,
    checkpointEvery: Math.max(1, Math.ceil(flags.rounds / LOOKS)),
    ...(typeof flags.workers === 'number' ? { workers: flags.workers } : {}),
  };
}
