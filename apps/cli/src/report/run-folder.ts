import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '@tutti/base/node';
import type { RoundReport, SimulationResult } from '@tutti/simulation';
import { methodName } from '../ui/quality.ts';
import { figure } from '../ui/table.ts';
import { bytes } from '../ui/screen.ts';
import { renderReport, roundCharts } from './html.ts';

/** A folder that a run leaves behind: config.json, metrics.jsonl, checkpoints/, report.html. */
export interface RunFolder {
  addRound(report: RoundReport): void;
  addCheckpoint(round: number, content: Uint8Array): Promise<void>;
  /** @param itemsHash of the data set's items: whoever evaluates a checkpoint of the run compares it. */
  finish(config: unknown, result: SimulationResult, itemsHash: string): Promise<void>;
}

/** Makes the folder (and its parents); an existing metrics file is begun anew. */
export async function openRunFolder(path: string): Promise<RunFolder> {
  ensureFolder(join(path, 'checkpoints'));
  await writeFile(join(path, 'metrics.jsonl'), '');
  let writes: Promise<void> = Promise.resolve();
  return {
    addRound(report) {
      writes = writes.then(() => appendFile(join(path, 'metrics.jsonl'), `${JSON.stringify(report)}\n`));
    },
    async addCheckpoint(round, content) {
      await writeFile(
        join(path, 'checkpoints', `round-${String(round).padStart(5, '0')}.safetensors`),
        content,
      );
    },
    async finish(config, result, itemsHash) {
      await writes;
      await writeFile(
        join(path, 'config.json'),
        `${JSON.stringify({ options: config, model: result.model, strategy: result.strategy, privacy: result.privacy, dataset: { ...result.dataset, itemsHash }, backend: result.backend }, null, 2)}\n`,
      );
      await writeFile(join(path, 'report.html'), simulationReport(config, result));
    },
  };
}

/** The report page of a simulation. */
export function simulationReport(config: unknown, result: SimulationResult): string {
  const { dataset, rounds } = result;
  const committed = rounds.filter((round) => round.outcome === 'committed');
  const numbers = committed.map(({ round }) => round);
  return renderReport({
    title: `Tutti simulation: ${dataset.name}`,
    subtitle: `${dataset.users} people, ${dataset.items} items, ${dataset.interactions} interactions · ${result.protocol} · seed ${result.seed} · checkpoint ${result.checkpointHash.slice(0, 16)}`,
    sections: [
      {
        heading: 'Result',
        tables: [
          {
            headings: ['method', 'HR@10', 'NDCG@10', 'full HR@10', 'full NDCG@10'],
            rows: Object.entries({ 'this federation': result.final, ...result.baselines }).map(
              ([name, { sampled, full }]) => [
                methodName(name),
                ...[sampled.hr10, sampled.ndcg10, full.hr10, full.ndcg10].map(figure),
              ],
            ),
          },
        ],
        notes: result.notes,
      },
      {
        heading: 'Rounds',
        charts: roundCharts(numbers, {
          'training loss': committed.map(({ loss }) => loss),
          'HR@10 on validation items (secure lanes)': committed.map(({ hr10 }) => hr10),
          'NDCG@10 on validation items (secure lanes)': committed.map(({ ndcg10 }) => ndcg10),
          'bytes up a round': committed.map(({ upBytes }) => upBytes),
        }),
        folded: {
          summary: 'Every round',
          table: {
            headings: [
              'round',
              'outcome',
              'cohort',
              'reported',
              'dropped',
              'up',
              'down',
              'loss',
              'HR@10',
              'NDCG@10',
              'seconds',
            ],
            rows: rounds.map((round) => [
              String(round.round),
              round.outcome === 'aborted' ? `ended: ${round.reason ?? ''}` : 'committed',
              String(round.cohort),
              String(round.reported),
              round.dropped.map(({ phase, count }) => `${count} ${phase}`).join(', ') || '–',
              bytes(round.upBytes),
              bytes(round.downBytes),
              figure(round.loss),
              figure(round.hr10),
              figure(round.ndcg10),
              round.seconds.toFixed(2),
            ]),
          },
        },
      },
    ],
    config: { options: config, model: result.model, strategy: result.strategy },
  });
}
