import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { systemRandom } from '@tutti/base';
import { openPeers, type RedisPeers } from '@tutti/cluster-redis';
import { startTestRedis, type TestRedis } from '@tutti/cluster-redis/testing';
import { generateFilmShelf } from '@tutti/datasets';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { simulate, type SimulationOptions } from '@tutti/simulation';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TUTTI } from './coordinators.ts';

/** Simulations whose devices live in real `tutti worker` processes, over a real Redis. */

const { version } = JSON.parse(readFileSync(new URL('../package.json', `file://${TUTTI}`), 'utf8')) as {
  version: string;
};

let started: TestRedis | string = 'needs redis: it was not started';
const workers: ChildProcess[] = [];
beforeAll(async () => void (started = await startTestRedis()));
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  if (typeof started !== 'string') await started.destroy();
});

const OPTIONS: SimulationOptions = {
  dataset: generateFilmShelf({ seed: 5, users: 60, items: 150 }),
  model: { family: 'mf', dimension: 8 },
  ...{ rounds: 3, cohort: 24, seed: 7, dropout: 0.05, noiseMultiplier: 0.01 },
};

/** What must not depend on where devices live. Bytes are that of a plain run's too, so they are left out. */
function figures({ rounds, ...result }: Awaited<ReturnType<typeof simulate>>): unknown {
  const { checkpointHash, final, bytes } = result;
  const told = rounds.map(({ seconds: _seconds, upBytes: _up, downBytes: _down, ...round }) => round);
  return { checkpointHash, final, down: bytes.downPerClientRound, rounds: told };
}

function startWorker(redis: string): ChildProcess {
  const worker = spawn(process.execPath, [TUTTI, 'worker', '--redis', redis, '--threads', '1'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  workers.push(worker);
  return worker;
}

/** The simulation's side. Processes that are silent for two seconds are gone. */
const meet = (redis: string): Promise<RedisPeers> =>
  openPeers({
    ...{ redis, secret: nodeCrypto.digest('simulation-workers', new Uint8Array(0)), isHost: false },
    ...{ crypto: nodeCrypto, random: systemRandom(), takeOverMs: 3_000 },
  });

async function untilHosts(peers: RedisPeers, count: number): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (peers.hosts().length !== count) {
    if (Date.now() > deadline) throw new Error(`not ${count} workers in time`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a simulation over workers', () => {
  it('comes to the figures of one thread, also where a worker is killed in mid-round', async (ctx) => {
    if (typeof started === 'string') return ctx.skip(started);
    const { url } = started;
    const victim = startWorker(url);
    startWorker(url);
    const here = await simulate({ ...OPTIONS, workers: 1 });
    const peers = await meet(url);
    await untilHosts(peers, 2);
    const said: string[] = [];
    const hosts = { peers, version, onHost: (line: string) => said.push(line) };
    const spread = await simulate({ ...OPTIONS, hosts });
    expect(figures(spread)).toEqual(figures(here));
    expect(said).toEqual(['2 threads of 2 workers']);
    // On hosts devices of plain attempts hear every message; here they hear none, and the same is counted.
    const plain = { ...OPTIONS, protocol: 'plain' } as const;
    const [toldAll, toldNothing] = [
      await simulate({ ...plain, hosts }),
      await simulate({ ...plain, workers: 2 }),
    ];
    expect(figures(toldAll)).toEqual(figures(toldNothing));
    expect(toldAll.bytes).toEqual(toldNothing.bytes);

    const phases = new Set<string>();
    const harmed = await simulate({
      ...OPTIONS,
      hosts,
      onProgress({ step, done, phase }) {
        if (step !== 'rounds' || done !== 1 || phase !== 'masked-input' || phases.size > 0) return;
        phases.add(phase);
        victim.kill('SIGKILL');
      },
    });
    expect([...phases]).toEqual(['masked-input']);
    expect(figures(harmed)).toEqual(figures(here));
    expect(said.filter((line) => line.includes('go on at another worker'))).toHaveLength(1);
    await peers.close();
  }, 60_000);

  it('ends by name where a worker runs something else, and where nobody is left', async (ctx) => {
    if (typeof started === 'string') return ctx.skip(started);
    const { url } = started;
    const peers = await meet(url);
    const hosts = { peers, version, waitMs: 300 };
    await untilHosts(peers, 1);
    await expect(simulate({ ...OPTIONS, hosts: { ...hosts, version: '0.0.9' } })).rejects.toThrow(
      `a worker runs tutti ${version}`,
    );
    const harm = (): void => workers.forEach((worker) => worker.kill('SIGKILL'));
    const left = simulate({ ...OPTIONS, hosts, rounds: 50, onRound: harm });
    await expect(left).rejects.toThrow(/no worker for .* in 0.3 s/);
    await expect(simulate({ ...OPTIONS, hosts })).rejects.toThrow('no worker for 60 devices in 0.3 s');
    await peers.close();
  }, 60_000);
});
