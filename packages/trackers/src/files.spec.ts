import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pointsFrom } from '../test/points.ts';
import { lastStepIn, scalarsRecord, versionRecord } from './event-record.ts';
import { isTrackerAddress, openTracker, TrackerError, type Tracker } from './index.ts';

/** Trackers that keep files. */

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'tutti-trackers-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const open = (kind: 'jsonl' | 'tensorboard'): Promise<Tracker> =>
  openTracker(`${kind}:${folder}`, { name: 'films', id: 'films' });

/** The file that a tracker writes to. */
function newestFile(kind: 'jsonl' | 'tensorboard'): string {
  if (kind === 'jsonl') return join(folder, 'films.jsonl');
  const names = readdirSync(join(folder, 'films')).sort();
  return join(folder, 'films', names.at(-1) ?? '');
}

describe.each(['jsonl', 'tensorboard'] as const)('a tracker of %s', (kind) => {
  it('goes on where an earlier process ended', async () => {
    const first = await open(kind);
    expect(first.lastStep).toBe(-1);
    await first.write(pointsFrom(1, 3));
    await first.write(pointsFrom(4, 1));
    await first.close('stopped');
    const second = await open(kind);
    expect(second.lastStep).toBe(4);
    await second.write(pointsFrom(5, 300));
    expect((await open(kind)).lastStep).toBe(304);
  });

  it('leaves out what a crash cut off, and goes on behind it', async () => {
    const first = await open(kind);
    await first.write(pointsFrom(1, 3));
    const file = newestFile(kind);
    const whole = readFileSync(file);
    for (let length = whole.length - 1; length > whole.length - 20; length--) {
      truncateSync(file, length);
      // A line without its end is a whole object all the same.
      expect((await open(kind)).lastStep).toBe(kind === 'jsonl' && length === whole.length - 1 ? 3 : 2);
    }
    const second = await open(kind);
    await second.write(pointsFrom(3, 2));
    expect((await open(kind)).lastStep).toBe(4);
  });

  it('says by name what it cannot write to', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(openTracker(`${kind}:${folder}/file`, { name: 'films', id: 'films' })).rejects.toThrow(
      TrackerError,
    );
    await expect(openTracker(`${kind}:${folder}/file`, { name: 'films', id: 'films' })).rejects.toThrow(
      `${kind}:`,
    );
  });
});

it('JSON lines hold every number of a point', async () => {
  const tracker = await open('jsonl');
  await tracker.write(pointsFrom(7, 1));
  expect(JSON.parse(readFileSync(newestFile('jsonl'), 'utf8'))).toEqual({
    ...{ step: 7, atMs: 1_790_000_010_500, 'quality/hr_at_10': 7 / 64, 'cohort/reported': 40 },
  });
});

it('lines that are none are passed over', async () => {
  const tracker = await open('jsonl');
  await tracker.write(pointsFrom(1, 2));
  appendFileSync(newestFile('jsonl'), 'nonsense\n{"step":"9"}\n[]\nnull\n{"step":1e99}\n');
  expect((await open('jsonl')).lastStep).toBe(2);
});

describe('records of event files', () => {
  it('are those of TensorFlow, byte for byte', () => {
    // RecordWriter of TensorBoard 2.21 for wall times 1 and 2: `brain.Event:2`, and the scalar a = .5 at step 300.
    expect(Buffer.from(versionRecord(1)).toString('hex')).toBe(VERSION_RECORD);
    expect(Buffer.from(scalarsRecord(2, 300, { a: 0.5 })).toString('hex')).toBe(SCALAR_RECORD);
  });

  it('of steps beyond 32 bits are read as they were written; a damaged one ends the file', () => {
    for (const step of [0, 1, 127, 128, 16_384, 2 ** 31, 2 ** 40 + 5]) {
      const file = Buffer.concat([versionRecord(1), scalarsRecord(2, step, { a: 1 })]);
      expect(lastStepIn(file)).toBe(step);
    }
    const before = Buffer.concat([versionRecord(1), scalarsRecord(2, 3, { a: 1 })]);
    const file = Buffer.concat([before, scalarsRecord(2, 4, { a: 1 })]);
    for (let at = before.length; at < file.length; at++) {
      const damaged = Buffer.from(file);
      damaged[at] = (damaged[at] as number) ^ 1;
      expect(lastStepIn(damaged)).toBe(3);
    }
  });
});

it('addresses that are none are told from those that are', async () => {
  for (const address of [
    'jsonl:x',
    'tensorboard:/a/b',
    'mlflow:http://localhost:5000',
    'mlflow:https://m/x?experiment=a',
  ])
    expect(isTrackerAddress(address)).toBe(true);
  for (const address of [
    '',
    'x',
    'jsonl:',
    'csv:x',
    'mlflow:localhost',
    'mlflow:ftp://a',
    'mlflow:http://me:secret@a',
  ])
    expect(isTrackerAddress(address)).toBe(false);
  await expect(openTracker('csv:x', { name: 'a', id: 'a' })).rejects.toThrow('jsonl:FOLDER');
});

const VERSION_RECORD = '1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a';
const SCALAR_RECORD = '1800000000000000a37f4b2209000000000000004010ac022a0a0a080a0161150000003fd150deb2';
