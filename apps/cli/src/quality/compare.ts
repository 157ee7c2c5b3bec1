import type { TrainingEngine } from '@tutti/model';
import type { CheckpointEvaluator } from '@tutti/simulation';
import type { Screen } from '../ui/screen.ts';
import { trainCentrally } from './central.ts';
import {
  methodReport,
  newcomersOf,
  rankAll,
  seedReport,
  type Bench,
  type MethodReport,
  type Ranked,
} from './measure.ts';
import {
  fitReference,
  isSeeded,
  methodKey,
  whySkipped,
  type PlainReference,
  type ReferenceName,
  type ReferenceSettings,
} from './references.ts';

/** A method that was left out, and why. */
export interface Skipped {
  readonly method: string;
  readonly reason: string;
}

/** How the family is trained centrally: as many visits to people as the federation made. */
export interface CentralPlan {
  readonly engine: TrainingEngine;
  /** Measures its checkpoints. */
  readonly evaluator: CheckpointEvaluator;
  readonly steps: number;
  readonly parts: number;
}

/** What a comparison takes. */
export interface Comparison {
  readonly bench: Bench;
  readonly names: readonly ReferenceName[];
  readonly seeds: readonly number[];
  readonly settings: ReferenceSettings;
  /** Absent where no family is measured. */
  readonly central?: CentralPlan;
  readonly screen: Screen;
}

/** Reports of the references that were asked for, and what was left out, which is said at once. */
export async function compareReferences(
  comparison: Comparison,
): Promise<{ reports: Record<string, MethodReport>; skipped: Skipped[] }> {
  const { bench, names, central, screen } = comparison;
  const reports: Record<string, MethodReport> = {};
  const skipped: Skipped[] = [];
  for (const name of names) {
    const reason =
      name === 'central' && central === undefined
        ? 'central training was left out: no --model is given'
        : whySkipped(name, bench.data.items);
    if (reason === undefined) reports[methodKey(name)] = await referenceReport(comparison, name);
    else {
      skipped.push({ method: methodKey(name), reason });
      screen.line(reason);
    }
  }
  return { reports, skipped };
}

async function referenceReport(comparison: Comparison, name: ReferenceName): Promise<MethodReport> {
  const { seeds } = comparison;
  const used = isSeeded(name) ? seeds : seeds.slice(0, 1);
  return reportOver(used, comparison, (seed) =>
    name === 'central' ? rankCentral(comparison, seed) : rankReference(comparison, name, seed),
  );
}

/** Runs a method with one seed after the other, and reports the means. */
export async function reportOver(
  seeds: readonly number[],
  { bench }: Pick<Comparison, 'bench'>,
  run: (seed: number) => Promise<Ranked>,
): Promise<MethodReport> {
  const ranked: Ranked[] = [];
  const reports = [];
  for (const seed of seeds) {
    const one = await run(seed);
    reports.push(await seedReport(bench, one));
    ranked.push(one);
  }
  return methodReport(ranked, reports);
}

async function rankReference(
  { bench, settings, screen }: Comparison,
  name: PlainReference,
  seed: number,
): Promise<Ranked> {
  const fitting = `fitting ${name}`;
  screen.step(fitting);
  const recommender = await fitReference(name, {
    ...settings,
    train: bench.train,
    seed,
    onProgress: async (share) => {
      screen.progress(share, 1, fitting);
      await bench.breathe();
    },
  });
  const people = await rankAll(bench, recommender.score, (share) =>
    screen.progress(share, 1, `ranking with ${name}`),
  );
  return { seed, people, newcomers: newcomersOf(bench, recommender) };
}

async function rankCentral({ bench, central, screen }: Comparison, seed: number): Promise<Ranked> {
  const { engine, evaluator, steps, parts } = central as CentralPlan;
  const doing = 'training the same family centrally';
  screen.step(doing);
  const model = await trainCentrally({
    engine,
    train: bench.train,
    content: bench.data.catalogue,
    seed,
    steps,
    parts,
    onPerson: async (share) => {
      screen.progress(share, 1, doing);
      await bench.breathe();
    },
  });
  const people = await rankAll(
    bench,
    (user) => model.score(user),
    (share) => screen.progress(share, 1, 'ranking with the central model'),
  );
  model.dispose();
  return { seed, people, newcomers: () => evaluator.newcomers(model.shared) };
}
