import { join } from 'node:path';
import type { ModelFamily } from '@tutti/model';
import { defaultNoiseMultiplier } from '@tutti/model';
import { abortOnSignals, unlessAborted } from '../signals.ts';
import { DEFAULT_PEOPLE, describeData, openData } from '../data.ts';
import { trainerName, type EngineFlags } from '../engine-options.ts';
import { openScreen, type Screen } from '../ui/screen.ts';
import { openCoordinator, type OpenedCoordinator } from './coordinator.ts';
import { runFederation, type FederationResult } from './federation.ts';
import { startPopulation, type PopulationProcesses } from './processes.ts';
import { claimFolder, type StartMechanism, type StartSettings } from './settings.ts';
import { closingLines, writeStartReport } from './closing.ts';

/** The options of `tutti start` as commander hands them over. */
export interface StartFlags extends EngineFlags {
  clients?: number;
  processes: number;
  rounds?: number;
  cohort?: number;
  model: ModelFamily;
  dataset?: string;
  seed: number;
  port: number;
  dataDir: string;
  noise: boolean;
  epsilon?: number;
  delta: number;
  mechanism: StartMechanism;
  adaptiveClip?: number;
  keep?: boolean;
  fresh?: boolean;
  json?: boolean;
}

/** Rounds when no other number is asked for: what the default population learns its shelf in. */
const DEFAULT_ROUNDS = 30;

/** Clients a round when no other number is asked for: a sixth of the people, from 16 to 100. */
const defaultCohort = (people: number): number => Math.min(100, Math.max(16, Math.round(people / 4)));

/** Runs the main job from first line to last: coordinator, clients, rounds, the closing table, three people's lists. */
export async function runStart(flags: StartFlags): Promise<void> {
  const screen = openScreen(flags.json === true ? process.stderr : process.stdout);
  const signal = abortOnSignals();
  const data = await openData({
    ...flags,
    ...(flags.dataset === undefined ? { users: flags.clients ?? DEFAULT_PEOPLE } : {}),
  });
  const people = Math.min(flags.clients ?? DEFAULT_PEOPLE, data.users);
  const settings = settingsOf(flags, people);
  const resumes = await claimFolder(flags.dataDir, settings, flags.fresh === true);
  screen.line(
    `Tutti · a federation on this machine · ${people} clients in ${flags.processes} processes, everything kept in ${flags.dataDir}`,
  );
  screen.line(`data: ${describeData(data, { ...flags, users: people })}`);

  const coordinator = await openCoordinator({
    folder: join(flags.dataDir, 'coordinator'),
    port: flags.port,
    data,
    people,
    settings,
    rounds: flags.rounds ?? DEFAULT_ROUNDS,
  });
  let population: PopulationProcesses | undefined;
  try {
    introduce(screen, coordinator, settings, resumes);
    screen.step('opening clients');
    population = await startPopulation(
      flags.processes,
      {
        coordinator: coordinator.url,
        task: coordinator.task,
        folder: join(flags.dataDir, 'clients'),
        data: {
          seed: flags.seed,
          ...(flags.dataset === undefined ? { users: people } : { dataset: flags.dataset }),
        },
        people,
        engine: flags.engine,
        backend: flags.backend,
        allowSmallCohort: 16,
        trustCoordinatorNoise: settings.mechanism !== 'skellam',
      },
      signal,
      (done, total) => screen.progress(done, total, `opening clients ${done}/${total}`),
    );
    screen.finish();
    screen.line(
      `clients train with ${trainerName(population.backend)}${population.notes.map((note) => `; ${note}`).join('')}`,
    );
    const federation = { coordinator, population, data, people, settings, screen, signal };
    const result = await unlessAborted(signal, Promise.race([runFederation(federation), population.failed]));
    await show(result, flags, screen);
    if (flags.keep === true) await stayUp(screen, coordinator, signal, population);
  } finally {
    screen.finish();
    await population?.stop();
    await coordinator.close();
  }
}

function settingsOf(flags: StartFlags, people: number): StartSettings {
  return {
    dataset: flags.dataset ?? null,
    seed: flags.seed,
    people,
    model: flags.model,
    cohort: Math.min(people, flags.cohort ?? defaultCohort(people)),
    noiseMultiplier: flags.noise ? defaultNoiseMultiplier(flags.model) : 0,
    epsilon: flags.epsilon ?? null,
    delta: flags.epsilon === undefined ? null : flags.delta,
    mechanism: flags.mechanism,
    adaptiveClip: flags.adaptiveClip ?? null,
  };
}

function introduce(
  screen: Screen,
  coordinator: OpenedCoordinator,
  settings: StartSettings,
  resumes: boolean,
): void {
  for (const line of coordinator.introduction) screen.line(line);
  screen.line(`dashboard: ${coordinator.url}`);
  const done = coordinator.roundsDone();
  if (resumes && done > 0) {
    screen.line(
      done >= coordinator.target
        ? `all ${done} rounds were done before; --rounds ${done + 30} goes on, --fresh starts over`
        : `resumes at round ${done + 1}; --fresh starts over`,
    );
  }
  screen.line();
}

async function show(result: FederationResult, flags: StartFlags, screen: Screen): Promise<void> {
  const report = join(flags.dataDir, 'report.html');
  await writeStartReport(report, result);
  for (const line of closingLines(result)) screen.line(line);
  screen.line(`report with curves: ${report}`);
  if (flags.json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function stayUp(
  screen: Screen,
  coordinator: { url: string },
  signal: AbortSignal,
  population: PopulationProcesses,
): Promise<void> {
  screen.line(`\nstill up at ${coordinator.url} (--keep); Ctrl-C stops everything`);
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([stopped, population.failed]);
}
