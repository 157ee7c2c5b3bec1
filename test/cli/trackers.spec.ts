import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tuttiHere } from './here.ts';

/** `--track`, as a person types it. */

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'tutti-track-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const SMALL = [
  'simulate',
  '--users',
  '40',
  '--items',
  '120',
  '--model',
  'mf',
  '--rounds',
  '3',
  '--cohort',
  '16',
];

describe('tutti simulate --track', () => {
  it('keeps every round as a point, wherever it is asked for', async () => {
    const { code, stdout } = await tuttiHere([
      ...[...SMALL, '--protocol', 'plain', '--json'],
      ...['--track', `jsonl:${folder}`, '--track', `tensorboard:${folder}/events`],
    ]);
    expect(code).toBe(0);
    const { rounds } = JSON.parse(stdout) as { rounds: { round: number; loss: number; hr10: number }[] };
    const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
    const points = readFileSync(join(folder, file), 'utf8').trim().split('\n');
    expect(points.map((line) => JSON.parse(line) as unknown)).toMatchObject(
      rounds.map(({ round, loss, hr10 }) => ({
        step: round,
        'training/loss': loss,
        'quality/hr_at_10': hr10,
      })),
    );
    const [run = ''] = readdirSync(join(folder, 'events'));
    expect(readdirSync(join(folder, 'events', run))).toHaveLength(1);
  });

  it('refuses what is no tracker, and one that cannot be reached before anything is computed', async () => {
    const wrong = await tuttiHere([...SMALL, '--track', 'csv:x']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('jsonl:FOLDER, tensorboard:FOLDER or mlflow:http://HOST:5000');
    const away = await tuttiHere([
      ...SMALL,
      '--track',
      'mlflow:http://127.0.0.1:9',
      '--out',
      join(folder, 'out'),
    ]);
    expect(away.code).not.toBe(0);
    expect(away.stderr).toContain('mlflow:http://127.0.0.1:9: cannot be reached');
    expect(away.stderr).not.toMatch(/\n {4}at /);
    expect(existsSync(join(folder, 'out', 'report.html'))).toBe(false);
  });
});
