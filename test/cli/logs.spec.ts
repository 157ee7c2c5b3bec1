import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, createToken, type Coordinator } from '@tutti/server';
import { expect, it } from 'vitest';
import { freePort, TUTTI } from '../cluster/coordinators.ts';

/** How long a line may take, in milliseconds. */
const LIMIT_MS = 30_000;

it('tutti logs --follow goes on over a restart, says so, and tells each line once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-logs-'));
  const tokens = join(folder, 'tokens.json');
  const token = createToken(tokens, { name: 'ada', role: 'read' });
  const port = await freePort();
  const storage = { store: memoryStore(), blobs: memoryBlobs(nodeCrypto) };
  const start = async (): Promise<Coordinator> => {
    const task = { name: 'films', catalogue: { ids: ['a', 'b'] }, model: { family: 'mf' as const } };
    const coordinator = await createCoordinator({
      config: { listen: { port }, tokens, tasks: [task] },
      ...storage,
    });
    await coordinator.listen();
    return coordinator;
  };
  const first = await start();
  const args = ['logs', '--follow', '--json', '--coordinator', `http://127.0.0.1:${port}`];
  const child = spawn(process.execPath, [TUTTI, ...args], { env: { ...process.env, TUTTI_TOKEN: token } });
  let [said, told] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  const until = async (isSo: () => boolean): Promise<void> => {
    for (const end = Date.now() + LIMIT_MS; !isSo();) {
      if (Date.now() > end) throw new Error(`not in time: ${said}${told}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  try {
    await first.coordination.setRun('films', 'paused', 'ada');
    await until(() => said.includes('"run":"paused"'));
    await first.close();
    await until(() => told.includes('is away'));
    const second = await start();
    // Before it is asked: what the new one keeps is told too.
    await second.coordination.setRun('films', 'running', 'ada');
    await until(() => said.includes('"run":"running"'));
    await second.coordination.setRun('films', 'paused', 'bob');
    await until(() => said.includes('"by":"bob"'));
    const lines = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const runs = lines.filter(({ event }) => event === 'run-changed').map(({ run, by }) => [run, by]);
    expect(runs).toEqual([
      ['paused', 'ada'],
      ['running', 'ada'],
      ['paused', 'bob'],
    ]);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
    expect(told).toMatch(/^http:\/\/127\.0\.0\.1:\d+ is away; asking again for 30 s\n.* answers again;/);
    await second.close();
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);
