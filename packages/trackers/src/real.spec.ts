import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pointsFrom } from '../test/points.ts';
import { hasModule, pythonEnvironment } from '../test/python.ts';
import { mlflowTracker, openTracker, type Tracker } from './index.ts';

/** What we write is read by what people read it with: TensorBoard's own reader, a server of MLflow and its own client. */

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'tutti-trackers-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function python(script: string, ...args: string[]): unknown {
  const { stdout, stderr, status } = spawnSync('python3', ['-c', script, ...args], {
    ...{ env: pythonEnvironment, encoding: 'utf8', timeout: 60_000 },
  });
  if (status !== 0) throw new Error(stderr.slice(-2_000));
  return JSON.parse(stdout);
}

const expected = pointsFrom(1, 30).map(({ step, atMs, scalars }) => [
  ...[step, atMs / 1_000, scalars['quality/hr_at_10']],
]);

describe.skipIf(!hasModule('tensorboard'))('TensorBoard', () => {
  it('reads steps, times and values, of two processes that wrote one after the other', async () => {
    for (const [first, count] of [
      [1, 20],
      [21, 10],
    ] as const) {
      const tracker = await openTracker(`tensorboard:${folder}`, { name: 'films', id: 'films' });
      await tracker.write(pointsFrom(first, count));
      await tracker.close('stopped');
    }
    expect(python(READ_EVENTS, join(folder, 'films'))).toEqual({
      tags: ['cohort/reported', 'quality/hr_at_10'],
      points: expected,
    });
  });
});

const READ_EVENTS = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
points = [[e.step, e.wall_time, e.value] for e in events.Scalars('quality/hr_at_10')]
print(json.dumps({'tags': sorted(events.Tags()['scalars']), 'points': points}))
`;

describe.skipIf(!hasModule('mlflow'))('MLflow', () => {
  let server: ChildProcess;
  let url: string;
  let store: string;
  beforeAll(async () => {
    store = mkdtempSync(join(tmpdir(), 'tutti-mlflow-'));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const args = ['-m', 'mlflow', 'server', '--port', String(port), '--workers', '1'];
    server = spawn(
      'python3',
      [...args, '--backend-store-uri', `sqlite:///${store}/mlflow.db`, '--artifacts-destination', store],
      {
        env: {
          ...pythonEnvironment,
          ...{ MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' },
          // Processes for jobs of its own, each of which loads all of MLflow; tracking needs none.
          MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
        },
        stdio: 'ignore',
        detached: true,
        cwd: store,
      },
    );
    for (let tries = 0; tries < 600; tries++) {
      if (
        await fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        )
      )
        return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('MLflow did not start');
  }, 90_000);
  afterAll(() => {
    if (server.pid !== undefined) process.kill(-server.pid, 'SIGKILL');
    rmSync(store, { recursive: true, force: true, maxRetries: 5 });
  });

  const open = (id: string): Promise<Tracker> =>
    mlflowTracker({
      url,
      experiment: 'shelves',
      run: { name: 'films', id, settings: { family: 'mf', dimension: '64' } },
    });

  it('holds settings, every point once, and how the run ended; a restarted process goes on with its run', async () => {
    const first = await open('films of a');
    expect(first.lastStep).toBe(-1);
    await first.write(pointsFrom(1, 20));
    const second = await open('films of a');
    expect(second.lastStep).toBe(20);
    await second.write(pointsFrom(21, 10));
    await second.close('finished');
    const other = await open('films of b');
    expect(other.lastStep).toBe(-1);
    await other.write(pointsFrom(1, 510));
    await other.close('failed');
    expect(python(READ_RUNS, url)).toEqual([
      { status: 'FINISHED', params: { family: 'mf', dimension: '64' }, points: expected, name: 'films' },
      { status: 'FAILED', params: { family: 'mf', dimension: '64' }, points: 510, name: 'films' },
    ]);
  }, 60_000);
});

const READ_RUNS = `
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
experiment = client.get_experiment_by_name('shelves').experiment_id
answer = []
for run in client.search_runs([experiment], order_by=['attributes.start_time']):
    points = [[m.step, m.timestamp / 1000, m.value] for m in client.get_metric_history(run.info.run_id, 'quality/hr_at_10')]
    points.sort()
    answer.append({'status': run.info.status, 'params': run.data.params, 'name': run.info.run_name,
                   'points': points if len(points) < 100 else len(points)})
print(json.dumps(answer))
`;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
