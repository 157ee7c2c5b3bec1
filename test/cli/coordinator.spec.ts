import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '@tutti/cli';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tutti-config-'));
const file = join(folder, 'tutti.config.json');
writeFileSync(join(folder, 'films.csv'), 'id,title\na,A\nb,B\n');
writeFileSync(
  file,
  JSON.stringify({
    listen: { port: 4999 },
    tasks: [{ name: 'films', catalogue: 'films.csv', model: { family: 'mf' } }],
  }),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

async function tutti(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const output = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      output[name] += chunk.toString();
      return true;
    }),
  );
  try {
    return { code: await runCli(['coordinator', ...args]), ...output };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

describe('the configuration of a coordinator', () => {
  it('is printed with where each value came from: options over variables over the file', async () => {
    vi.stubEnv('TUTTI_LISTEN_PORT', '5000');
    vi.stubEnv('TUTTI_LISTEN_HOST', '::1');
    vi.stubEnv('TUTTI_TASKS_0_MODEL_DIMENSION', '8');
    const { code, stdout } = await tutti(
      '--config',
      file,
      '--port',
      '5001',
      '--word-bits',
      '32',
      '--print-config',
      '--json',
    );
    expect(code).toBe(0);
    const { values } = JSON.parse(stdout) as { values: { path: string }[] };
    expect(Object.fromEntries(values.map(({ path, ...rest }) => [path, rest]))).toMatchObject({
      'listen.port': { value: 5001, origin: '--port' },
      'listen.host': { value: '::1', origin: 'TUTTI_LISTEN_HOST' },
      'tasks[0].catalogue': { value: 'films.csv', origin: file },
      'tasks[0].model.dimension': { value: 8, origin: 'TUTTI_TASKS_0_MODEL_DIMENSION' },
      'tasks[0].round.wordBits': { value: 32, origin: '--word-bits' },
      'tasks[0].round.cohort': { value: 100, origin: 'default' },
    });
  });

  it('needs no file: variables are enough', async () => {
    vi.stubEnv('TUTTI_TASKS_0_NAME', 'films');
    vi.stubEnv('TUTTI_TASKS_0_CATALOGUE', join(folder, 'films.csv'));
    expect((await tutti('--print-config')).stdout).toMatch(
      /tasks\[0\]\.name = "films" +\(TUTTI_TASKS_0_NAME\)/,
    );
  });

  it('is refused with everything that is wrong, wherever it came from', async () => {
    vi.stubEnv('TUTTI_LISTN_PORT', '1');
    vi.stubEnv('TUTTI_TASKS_0_ROUND_COHORT', '5');
    vi.stubEnv('TUTTI_TASKS_0_CATALOGUE', 'missing.csv');
    vi.stubEnv('TUTTI_LISTEN_TLS_CERTIFICATE', file);
    vi.stubEnv('TUTTI_LISTEN_TLS_KEY', 'missing.pem');
    vi.stubEnv('TUTTI_STORE', 'sqlite:x');
    const { code, stderr } = await tutti('--config', file, '--host', '');
    expect(code).toBe(2);
    for (const line of [
      /TUTTI_LISTN_PORT: names nothing/,
      /tasks\[0\]\.catalogue: .*missing\.csv cannot be read \(from TUTTI_TASKS_0_CATALOGUE\)/,
      /listen\.tls\.certificate: .* holds no PEM certificate \(from TUTTI_LISTEN_TLS_CERTIFICATE\)/,
      /listen\.tls\.key: .*missing\.pem cannot be read: ENOENT \(from TUTTI_LISTEN_TLS_KEY\)/,
    ])
      expect(stderr).toMatch(line);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});
