import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ConfigError, decodeConfig } from '@tutti/server';
import { afterAll, describe, expect, it } from 'vitest';
import { freePort } from './coordinators.ts';
import { filmsTask } from './processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'tutti-plain-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('one machine', () => {
  it('loads nothing of Redis and PostgreSQL', async () => {
    const port = await freePort();
    const file = join(folder, 'config.json');
    const store = `lmdb:${join(folder, 'store')}`;
    writeFileSync(file, JSON.stringify({ listen: { port }, store, tasks: [filmsTask(4)] }));
    const source = fileURLToPath(import.meta.resolve('@tutti/base/package.json')).replace(
      /package\.json$/,
      'source.js',
    );
    const child = fileURLToPath(new URL('plain-child.ts', import.meta.url));
    const args = ['coordinator', '--config', file, `http://127.0.0.1:${port}`];
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', source, child, ...args]);
    expect(JSON.parse(stdout)).toEqual({ plain: [], later: ['ioredis', 'bullmq', 'pg'] });
  }, 60_000);
});

describe('a cluster', () => {
  const cluster = { redis: 'redis://localhost' };
  const problems = (config: object): readonly string[] => {
    try {
      decodeConfig({ tasks: [filmsTask(4)], ...config });
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
  };

  it('keeps everything in PostgreSQL, and is refused by path where it does not', () => {
    expect(problems({ store: 'postgres://tutti@localhost/tutti', cluster })).toEqual([]);
    expect(problems({ cluster })).toEqual([
      'store: a cluster keeps everything in PostgreSQL: postgres://USER@HOST:5432/DATABASE is expected',
    ]);
    expect(
      problems({ store: 'postgres://localhost/tutti', cluster: { redis: 'localhost', roles: [] } }),
    ).toEqual([expect.stringContaining('cluster.redis: '), expect.stringContaining('cluster.roles: ')]);
  });
});
