import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient, createSharedEngine } from '@tutti/client-node';
import { memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, createToken } from '@tutti/server';

/**
 * `npm run fuzz:described -- --schemathesis PATH`: schemathesis (`pip install schemathesis==4.32.5`, in an environment of its own) against
 * the OpenAPI description of a coordinator that has made rounds and has models on both channels: without a token, with one of role
 * operate, and with that and names of what is there. Exit code 1 where an answer was a server error.
 */
const { values } = parseArgs({
  options: {
    schemathesis: { type: 'string', default: 'schemathesis' },
    examples: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
  },
});
const FILMS = Array.from({ length: 60 }, (_, film) => `film-${film}`);
const ROUNDS = 3;
const MANY = 1_000_000_000;

/** Names of what is there, so that what comes after a name is reached. */
const PRESENT = `[parameters]
"path.task" = "films"
"path.model" = "2"
"path.channel" = "stable"
`;

const folder = mkdtempSync(join(tmpdir(), 'tutti-described-'));
const tokens = join(folder, 'tokens.json');
const token = createToken(tokens, { name: 'ada', role: 'operate' });
const coordinator = await createCoordinator({
  config: {
    listen: { port: 0 },
    ...{ tokens, limits: { requestsPerMinute: MANY } },
    tasks: [
      {
        ...{
          name: 'films',
          catalogue: { ids: FILMS },
          meanHistory: 6,
          model: { family: 'mf', dimension: 4 },
        },
        round: { cohort: 4, smallestCohort: 3, overselection: 1, selectionMs: 200 },
        ...{ rounds: ROUNDS, insecureSmallCohort: true },
      },
    ],
  },
  ...{ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) },
});
const url = await coordinator.listen();
try {
  await makeRounds();
  const registry = coordinator.coordination.registry('films');
  await registry?.change({ channel: 'stable', model: '1', by: 'ada' });
  await registry?.change({ channel: 'canary', model: '2', by: 'ada' });
  const authorization = ['-H', `authorization: Bearer ${token}`];
  const codes = [
    await run('without a token', [], ''),
    await run('with a token of role operate', authorization, ''),
    await run('with that, and names of what is there', authorization, PRESENT),
  ];
  const { status } = await fetch(`${url}/healthz`);
  process.stdout.write(`\nanswers by route, method and status:\n${await answers()}\n`);
  process.exitCode = status === 200 && codes.every((code) => code === 0) ? 0 : 1;
} finally {
  await coordinator.close();
  rmSync(folder, { recursive: true, force: true });
}

/** What was reached, by the coordinator's own count. */
async function answers(): Promise<string> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const counted = text.matchAll(
    /^tutti_http_request_seconds_count\{route="([^"]+)",method="(\w+)",status="(\d+)"\} (\d+)$/gm,
  );
  return [...counted]
    .map(([, route, method, status, count]) => `${method} ${route} ${status}: ${count}`)
    .join('\n');
}

async function makeRounds(): Promise<void> {
  const engine = await createSharedEngine({ backend: 'wasm' });
  const stop = new AbortController();
  const clients = await Promise.all(
    Array.from({ length: 5 }, async (_, i) => {
      const client = await createClient({
        ...{ coordinator: url, task: 'films', store: join(folder, `client-${i}`), engine },
        policy: { smallestCohort: 2, insecureSmallCohort: true },
        answerEveryMs: 10,
      });
      await client.record(FILMS.slice(i, i + 6).map((item) => ({ item })));
      return client;
    }),
  );
  const running = clients.map((client) => client.participate({ signal: stop.signal }));
  while (coordinator.coordination.rounds('films').length < ROUNDS)
    await new Promise((resolve) => setTimeout(resolve, 50));
  stop.abort();
  await Promise.all(running);
  await Promise.all(clients.map((client) => client.close()));
  engine.close();
}

/** @returns its exit code: 0 where no answer was a server error. */
async function run(what: string, more: readonly string[], config: string): Promise<number> {
  const file = join(folder, 'schemathesis.toml');
  writeFileSync(file, config);
  const megabytes = (): string => (process.memoryUsage.rss() / 2 ** 20).toFixed(0);
  process.stdout.write(`\n${what} (${megabytes()} MB)\n`);
  const args = [
    ...['--config-file', file, 'run', `${url}/api/v1/openapi.json`],
    ...['--phases', 'examples,coverage,fuzzing', '--checks', 'not_a_server_error'],
    ...['--max-examples', values.examples, '--seed', values.seed, '--continue-on-failure'],
    // Streams that go on do not end.
    ...['--exclude-operation-id', 'followEvents', '--exclude-operation-id', 'followLogs'],
    ...['--request-timeout', '10', '--suppress-health-check', 'all', '--no-color', ...more],
  ];
  const child = spawn(values.schemathesis, args, { cwd: folder, stdio: 'inherit' });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status) => resolve(status ?? 1));
  });
  process.stdout.write(`${what}: exit code ${code} (${megabytes()} MB)\n`);
  return code;
}
