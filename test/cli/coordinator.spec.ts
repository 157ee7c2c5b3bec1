import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator } from '@tutti/server';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { tuttiHere, type Ended } from './here.ts';

const folder = mkdtempSync(join(tmpdir(), 'tutti-config-'));
const file = join(folder, 'tutti.config.json');
writeFileSync(join(folder, 'films.csv'), 'id,title\na,A\nb,B\n');
writeFileSync(
  file,
  JSON.stringify({
    listen: { port: 4999 },
    tokens: 'tokens.json',
    tasks: [{ name: 'films', catalogue: 'films.csv', model: { family: 'mf' } }],
  }),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

const tutti = (...args: string[]): Promise<Ended> => tuttiHere(args);

describe('the configuration of a coordinator', () => {
  it('is printed with where each value came from: options over variables over the file', async () => {
    vi.stubEnv('TUTTI_LISTEN_PORT', '5000');
    vi.stubEnv('TUTTI_LISTEN_HOST', '::1');
    vi.stubEnv('TUTTI_TASKS_0_MODEL_DIMENSION', '8');
    const { code, stdout } = await tutti(
      'coordinator',
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
      'tasks[0].catalogue': { value: join(folder, 'films.csv'), origin: file },
      store: { value: `lmdb:${resolve('.tutti')}`, origin: 'default' },
      tokens: { value: join(folder, 'tokens.json'), origin: file },
      'tasks[0].model.dimension': { value: 8, origin: 'TUTTI_TASKS_0_MODEL_DIMENSION' },
      'tasks[0].round.wordBits': { value: 32, origin: '--word-bits' },
      'tasks[0].round.cohort': { value: 100, origin: 'default' },
    });
  });

  it('needs no file: variables are enough', async () => {
    vi.stubEnv('TUTTI_TASKS_0_NAME', 'films');
    vi.stubEnv('TUTTI_TASKS_0_CATALOGUE', join(folder, 'films.csv'));
    expect((await tutti('coordinator', '--print-config')).stdout).toMatch(
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
    vi.stubEnv('TUTTI_TASKS_9_ROUND_COHORT', '50');
    const open = join(folder, 'open.json');
    writeFileSync(open, '{"v":1,"tokens":[]}');
    chmodSync(open, 0o666);
    vi.stubEnv('TUTTI_TOKENS', open);
    const { code, stderr } = await tutti('coordinator', '--config', file, '--host', '');
    expect(code).toBe(2);
    for (const line of [
      /TUTTI_LISTN_PORT: names nothing/,
      /TUTTI_TASKS_9_ROUND_COHORT: there is no tasks\[9\]; there are 1, counted from 0/,
      /tasks\[0\]\.catalogue: .*missing\.csv cannot be read \(from TUTTI_TASKS_0_CATALOGUE\)/,
      /tokens: .*open\.json may be written to by others; chmod 600 it \(from TUTTI_TOKENS\)/,
      /listen\.tls\.certificate: .* holds no PEM certificate \(from TUTTI_LISTEN_TLS_CERTIFICATE\)/,
      /listen\.tls\.key: .*missing\.pem cannot be read: ENOENT \(from TUTTI_LISTEN_TLS_KEY\)/,
    ])
      expect(stderr).toMatch(line);
    expect(stderr).not.toMatch(/\n\s+at |tasks\[1\]/);
  });

  it('is refused where a name would reach what all objects share, and says which', async () => {
    const odd = join(folder, 'odd.json');
    writeFileSync(odd, readFileSync(file, 'utf8').replace('"catalogue"', '"__proto__": {}, "catalogue"'));
    const { code, stderr } = await tutti('coordinator', '--config', odd, '--print-config');
    expect(code).toBe(2);
    expect(stderr).toContain('tasks[0].__proto__: names nothing in the configuration');
  });
});

describe('tutti doctor', () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());

  interface Told {
    readonly ok: boolean;
    readonly findings: readonly { readonly check: string; readonly state: string; readonly found: string }[];
  }
  const doctor = async (...args: string[]): Promise<Told & { code: number }> => {
    const { code, stdout } = await tutti('doctor', ...args, '--json');
    process.exitCode = 0;
    return { code, ...(JSON.parse(stdout) as Told) };
  };

  it('finds a real coordinator well, its socket and its clock too', async () => {
    const config = {
      listen: { port: 0 },
      tasks: [{ name: 'films', catalogue: { ids: ['a', 'b'] }, model: { family: 'mf' as const } }],
    };
    await using coordinator = await createCoordinator({
      config,
      store: memoryStore(),
      blobs: memoryBlobs(nodeCrypto),
    });
    const { code, ok, findings } = await doctor(
      '--coordinator',
      await coordinator.listen(),
      '--config',
      file,
    );
    expect([code, ok]).toEqual([0, true]);
    expect(findings.map(({ check, state }) => `${check} ${state}`)).toEqual([
      ...[
        'configuration ok',
        'disk ok',
        'store ok',
        'tokens warning',
        'reachable ok',
        'tls ok',
        'coordinator ok',
        'ready ok',
        'clock ok',
      ],
      ...['websocket ok', 'protocol ok', 'task films warning'],
    ]);
  });

  it('tells a proxy that hands on no upgrade, and a clock that is off', async () => {
    server = createServer((request, response) => {
      response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString());
      response.setHeader('content-type', 'application/json');
      if (request.url?.startsWith('/v1/socket') === true) response.writeHead(400);
      response.end(JSON.stringify(request.url === '/v1/status' ? { tasks: [] } : { status: 'ok' }));
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', () => resolve()));
    const { port } = server.address() as AddressInfo;
    const { code, findings } = await doctor('--coordinator', `http://127.0.0.1:${port}`);
    expect(code).toBe(1);
    expect(
      findings.filter(({ state }) => state === 'failed').map(({ check, found }) => [check, found]),
    ).toEqual([
      ['clock', expect.stringMatching(/3[56]\d\d\.\d s behind/)],
      ['websocket', 'an upgrade to a websocket is answered with 400'],
    ]);
  });

  it('says what is wrong with a configuration, and that nothing answers', async () => {
    vi.stubEnv('TUTTI_TASKS_0_ROUND_COHORT', '5');
    const { code, findings } = await doctor('--config', file, '--coordinator', 'http://127.0.0.1:9');
    expect(code).toBe(1);
    expect(findings.map(({ found }) => found).join('\n')).toMatch(
      /round\.cohort: 5 is below 16[^]*http:\/\/127\.0\.0\.1:9: /,
    );
  });
});
