import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '@tutti/base';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, type Coordinator } from '@tutti/server';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { tuttiHere, type Ended } from './here.ts';

/** `tutti token`, `task`, `rounds`, `logs`, against a coordinator that runs. */

const folder = mkdtempSync(join(tmpdir(), 'tutti-admin-cli-'));
const file = join(folder, 'tutti.config.json');
const task = { name: 'films', catalogue: 'films.csv', model: { family: 'mf' }, rounds: 5 };
writeFileSync(join(folder, 'films.csv'), 'id,title\na,A\nb,B\n');
writeFileSync(file, JSON.stringify({ tokens: 'tokens.json', tasks: [task] }));
writeFileSync(join(folder, 'books.json'), JSON.stringify({ ...task, name: 'books' }));
writeFileSync(join(folder, 'wrong.json'), JSON.stringify({ ...task, name: 'No!', rounds: -1 }));

const tutti = (...args: string[]): Promise<Ended> => tuttiHere(args);

describe('operating a coordinator', () => {
  let coordinator: Coordinator;
  let url = '';
  beforeAll(async () => {
    coordinator = await createCoordinator({
      config: {
        ...{ listen: { port: 0 }, tokens: join(folder, 'tokens.json') },
        tasks: [{ name: 'films', catalogue: { ids: ['a', 'b'] }, model: { family: 'mf' } }],
      },
      ...{ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) },
    });
    url = await coordinator.listen();
  });
  afterAll(async () => {
    await coordinator.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => vi.unstubAllEnvs());

  it('begins with a token, which is shown once, and says so where there is none', async () => {
    const without = await tutti('task', 'pause', 'films', '--coordinator', url);
    expect([without.code, without.stderr]).toMatchObject([2, expect.stringContaining('set TUTTI_TOKEN')]);
    const made = await tutti('token', 'create', '--role', 'operate', '--name', 'ada', '--config', file);
    expect(made.stdout).toMatch(/^tutti_[\w-]{43}\n$/);
    expect(made.stderr).toContain('shown once');
    writeFileSync(join(folder, 'ada.token'), made.stdout);
    const list = await tutti('token', 'list', '--config', file, '--json');
    expect(JSON.parse(list.stdout)).toMatchObject({ tokens: [{ name: 'ada', role: 'operate' }] });
    expect(list.stdout).not.toContain(made.stdout.trim().slice(6));
    const wrong = await tutti('task', 'pause', 'films', '--coordinator', url, '--token', 'guess');
    expect([wrong.code, wrong.stderr]).toMatchObject([
      2,
      expect.stringContaining('does not know this token'),
    ]);
  });

  it('creates a task with the catalogue beside its file, or says everything that is wrong with it', async () => {
    vi.stubEnv('TUTTI_COORDINATOR', url);
    const token = ['--token-file', join(folder, 'ada.token')];
    const wrong = await tutti('task', 'create', '--config', join(folder, 'wrong.json'), ...token);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/name: a name of[^]*rounds: /);
    writeFileSync(
      join(folder, 'lost.json'),
      JSON.stringify({ ...task, catalogue: 'lost.csv', foo: 1, round: { cohort: 3 } }),
    );
    const lost = await tutti('task', 'create', '--config', join(folder, 'lost.json'), ...token);
    expect(lost.stderr).toMatch(/catalogue: .*lost\.csv cannot be read\n.*"foo"\n.*round\.cohort: /);
    const made = await tutti('task', 'create', '--config', join(folder, 'books.json'), ...token);
    expect([made.code, made.stdout]).toEqual([
      0,
      'books (identity open): 0 rounds done, now select; 0 clients connected, 0 waiting\n',
    ]);
    const list = await tutti('task', 'list', '--json');
    expect(JSON.parse(list.stdout)).toMatchObject({ tasks: [{ task: 'films' }, { task: 'books' }] });
  });

  it(
    'lists, shows, promotes, rolls back and exports models, in both forms',
    { timeout: 30_000 },
    async () => {
      vi.stubEnv('TUTTI_COORDINATOR', url);
      const token = ['--token-file', join(folder, 'ada.token')];
      expect((await tutti('model', 'list', 'films')).stdout).toMatch(
        /^ round {2}manifest [^]*\n {5}0 {2}[0-9a-f]{12} {2}first /,
      );
      const shown = JSON.parse((await tutti('model', 'show', 'films', '0', '--json')).stdout) as {
        manifest: { modelHash: string };
      };
      expect((await tutti('model', 'promote', 'films', '7', ...token)).stderr).toContain(
        'tutti model list shows',
      );
      const promoted = await tutti('model', 'promote', 'films', '0', ...token);
      expect(promoted.stdout).toContain('channel stable has the model of round 0 (');
      const back = await tutti('model', 'rollback', 'films', ...token);
      expect(back.stdout).toBe('channel stable has no model: devices rank with the newest\n');
      expect((await tutti('model', 'rollback', 'films', ...token)).stderr).toContain(
        'nothing on this channel',
      );

      const out = join(folder, 'films.safetensors');
      expect((await tutti('model', 'export', 'films', '0', '--out', out)).code).toBe(0);
      expect(toHex(nodeCrypto.digest('blob', readFileSync(out)))).toBe(shown.manifest.modelHash);
      expect(JSON.parse(readFileSync(`${out}.manifest.json`, 'utf8'))).toMatchObject({
        manifest: shown.manifest,
      });
      const again = await tutti('model', 'export', 'films', '0', '--out', out);
      expect([again.code, again.stderr]).toMatchObject([
        2,
        expect.stringContaining('nothing is overwritten'),
      ]);
      const asTfjs = ['--format', 'tfjs', '--out', join(folder, 'films'), '--json'];
      const { files } = JSON.parse((await tutti('model', 'export', 'films', '0', ...asTfjs)).stdout) as {
        files: string[];
      };
      expect(files.map((path) => path.slice(folder.length))).toEqual(
        ['group1-shard1of1.bin', 'model.json', 'manifest.json'].map((name) => `/films/${name}`),
      );
      expect(JSON.parse(readFileSync(join(folder, 'films', 'model.json'), 'utf8'))).toMatchObject({
        format: 'layers-model',
      });
    },
  );

  it('pauses, resumes and stops by name, asking before what is for good, and the log tells by whom', async () => {
    vi.stubEnv('TUTTI_COORDINATOR', url);
    const { stdout: reader } = await tutti(
      ...['token', 'create', '--role', 'read', '--name', 'board', '--config', file],
    );
    vi.stubEnv('TUTTI_TOKEN', reader);
    expect((await tutti('task', 'pause', 'books')).stderr).toContain('the token board has role read');
    const token = ['--token-file', join(folder, 'ada.token')];
    expect((await tutti('task', 'pause', 'books', ...token)).stdout).toContain('now paused');
    expect((await tutti('task', 'resume', 'books', ...token)).stdout).toContain('now select');
    expect((await tutti('task', 'show', 'nowhere')).stderr).toContain('tutti task list shows');
    const asked = await tutti('task', 'stop', 'books', ...token);
    expect([asked.code, asked.stderr]).toMatchObject([2, expect.stringContaining('say --yes')]);
    expect((await tutti('task', 'stop', 'books', '--yes', ...token)).stdout).toContain('now stopped');
    expect((await tutti('task', 'resume', 'books', ...token)).stderr).toContain('stopped for good');

    const { stdout } = await tutti('logs', '--json');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    expect(lines.filter(({ event }) => event === 'run-changed')).toMatchObject(
      ['paused', 'running', 'stopped'].map((run) => ({ task: 'books', run, by: 'ada' })),
    );
    expect((await tutti('logs')).stdout).toMatch(/ info {2}run-changed {5}task=books run=stopped by=ada\n/);
    expect(JSON.parse((await tutti('rounds', 'films', '--json')).stdout)).toEqual({ rounds: [] });
    expect((await tutti('token', 'revoke', 'board', '--config', file)).stdout).toContain('no longer holds');
    expect((await tutti('logs')).stderr).toContain('does not know this token');
  });
});
