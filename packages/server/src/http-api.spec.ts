import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '@tutti/base';
import { createCoordination, memoryBlobs, memoryStore } from '@tutti/coordination';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createCoordinator, type Coordinator } from './coordinator.ts';
import { createToken } from './token-file.ts';

interface Operation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}
interface Description {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const task = {
  name: 'films',
  catalogue: { ids: Array.from({ length: 30 }, (_, film) => `film-${film}`) },
  model: { family: 'mf', dimension: 4 },
  insecureSmallCohort: true,
  round: { cohort: 4, smallestCohort: 3 },
} as const;

describe('the description of the interface', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-api-'));
  const tokens = join(folder, 'tokens.json');
  const token = createToken(tokens, { name: 'ada', role: 'operate' });
  const readOnly = createToken(tokens, { name: 'board', role: 'read' });
  let coordinator: Coordinator;
  let url = '';
  let description: Description;

  beforeAll(async () => {
    coordinator = await createCoordinator({
      config: { listen: { port: 0 }, tokens, tasks: [task] },
      ...{ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) },
    });
    url = await coordinator.listen();
    description = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as Description;
  });
  afterAll(async () => {
    await coordinator.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What the description says of an answer, as a check that is made from it alone. */
  function formOf(path: string, method: string, status: number): z.ZodType {
    const operation = description.paths[path]?.[method];
    const schema = operation?.responses[String(status)]?.content['application/json']?.schema;
    if (schema === undefined) throw new Error(`${method} ${path} may not answer ${status}`);
    const whole = JSON.stringify({ ...schema, $defs: description.components.schemas });
    return z.fromJSONSchema(
      JSON.parse(whole.replaceAll('#/components/schemas/', '#/$defs/')) as Parameters<
        typeof z.fromJSONSchema
      >[0],
    );
  }

  async function ask(
    method: string,
    path: string,
    by = token,
    body?: string,
    type = 'application/json',
  ): Promise<[number, unknown]> {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(by === '' ? {} : { authorization: `Bearer ${by}` }),
        ...(body === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body }),
    });
    return [response.status, await response.json()];
  }

  it('names every operation once, with what it needs', () => {
    expect(description.openapi).toBe('3.1.0');
    const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId, security, parameters }]) => {
        const inPath = parameters.filter((one) => one.in === 'path').map(({ name }) => name);
        expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
        return `${operationId} ${method} ${path}${security === undefined ? '' : ' with a token'}`;
      }),
    );
    expect(operations).toMatchInlineSnapshot(`
      [
        "listTasks get /api/v1/tasks",
        "createTask post /api/v1/tasks with a token",
        "showTask get /api/v1/tasks/{task}",
        "pauseTask post /api/v1/tasks/{task}/pause with a token",
        "resumeTask post /api/v1/tasks/{task}/resume with a token",
        "stopTask post /api/v1/tasks/{task}/stop with a token",
        "listRounds get /api/v1/tasks/{task}/rounds",
        "showToken get /api/v1/token with a token",
        "listModels get /api/v1/tasks/{task}/models",
        "showModel get /api/v1/tasks/{task}/models/{model}",
        "promoteModel post /api/v1/tasks/{task}/models/{model}/promote with a token",
        "showChannel get /api/v1/tasks/{task}/channels/{channel}",
        "rollBack post /api/v1/tasks/{task}/channels/{channel}/rollback with a token",
        "followEvents get /api/v1/events",
        "followLogs get /api/v1/logs with a token",
      ]
    `);
    const used = new Set(
      [...JSON.stringify(description).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name),
    );
    expect([...used].sort()).toEqual(Object.keys(description.components.schemas).sort());
  });

  it('says of every answer what it really is', async () => {
    const answers: [path: string, method: string, got: [number, unknown]][] = [];
    const tell = async (
      path: string,
      method: string,
      asked = path,
      by = token,
      body?: string,
    ): Promise<void> => {
      answers.push([path, method, await ask(method.toUpperCase(), asked, by, body)]);
    };
    await tell('/api/v1/tasks', 'get');
    const another = JSON.stringify({ ...task, name: 'books' });
    for (const body of [another, another, '{}', '{', undefined])
      await tell('/api/v1/tasks', 'post', '/api/v1/tasks', token, body);
    for (const name of ['books', 'nowhere', '%2e']) {
      await tell('/api/v1/tasks/{task}', 'get', `/api/v1/tasks/${name}`);
      for (const query of ['', '?limit=1', '?from=x', '?colour=red'])
        await tell('/api/v1/tasks/{task}/rounds', 'get', `/api/v1/tasks/${name}/rounds${query}`);
    }
    for (const by of ['', readOnly, token])
      for (const step of ['pause', 'resume', 'stop', 'pause'])
        await tell(`/api/v1/tasks/{task}/${step}`, 'post', `/api/v1/tasks/books/${step}`, by);
    const models = '/api/v1/tasks/{task}/models';
    const channels = '/api/v1/tasks/{task}/channels/{channel}';
    for (const name of ['films', 'nowhere']) {
      await tell(models, 'get', `/api/v1/tasks/${name}/models`);
      for (const model of ['0', 'none']) {
        await tell(`${models}/{model}`, 'get', `/api/v1/tasks/${name}/models/${model}`);
        for (const body of ['{"channel":"stable"}', '{"channel":"loud"}'])
          await tell(
            `${models}/{model}/promote`,
            'post',
            `/api/v1/tasks/${name}/models/${model}/promote`,
            token,
            body,
          );
      }
      for (const channel of ['stable', 'canary', 'loud']) {
        await tell(channels, 'get', `/api/v1/tasks/${name}/channels/${channel}`);
        await tell(`${channels}/rollback`, 'post', `/api/v1/tasks/${name}/channels/${channel}/rollback`);
        await tell(channels, 'get', `/api/v1/tasks/${name}/channels/${channel}`);
      }
    }
    for (const by of ['', token]) await tell('/api/v1/token', 'get', '/api/v1/token', by);
    answers.push(['/api/v1/tasks', 'post', await ask('POST', '/api/v1/tasks', token, 'films', 'text/csv')]);
    await tell('/api/v1/events', 'get', '/api/v1/events?task=nowhere');
    await tell('/api/v1/logs', 'get', '/api/v1/logs?level=loud');
    for (const [path, method, [status, body]] of answers) {
      const { error } = formOf(path, method, status).safeParse(body);
      expect(error?.issues, `${method} ${path} ${status} ${JSON.stringify(body)}`).toBeUndefined();
    }
    const asked = new Set(answers.map(([path, method]) => `${method} ${path}`));
    const described = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect([...asked].sort()).toEqual(described.sort());
    expect(new Set(answers.map(([, , [status]]) => status))).toEqual(
      new Set([200, 201, 400, 401, 403, 404, 409, 415]),
    );
  });

  it('answers a method that a path does not have with those that it has, and text with 415', async () => {
    const tried = async (method: string, path: string, by = ''): Promise<[number, string | null]> => {
      const headers = { 'content-type': 'text/csv', ...(by === '' ? {} : { authorization: `Bearer ${by}` }) };
      const response = await fetch(url + path, { method, headers, ...(method === 'PUT' && { body: 'x' }) });
      return [response.status, response.headers.get('allow')];
    };
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'])
      expect(await tried(method, '/api/v1/tasks')).toEqual([405, 'GET, POST']);
    expect(await tried('POST', '/api/v1/tasks/films')).toEqual([405, 'GET']);
    expect(await tried('GET', '/api/v1/tasks/films/pause', token)).toEqual([405, 'POST']);
    // Where every method needs a token, nobody without one learns which there are.
    expect(await tried('GET', '/api/v1/tasks/films/pause')).toEqual([401, null]);
    expect(await tried('DELETE', '/api/v1/nothing')).toEqual([404, null]);
    for (const type of ['text/plain', 'text/csv', 'application/x-www-form-urlencoded'])
      expect(await ask('POST', '/api/v1/tasks', token, '{}', type)).toMatchObject([
        415,
        { error: { code: 'http/not-json' } },
      ]);
  });

  it('reads no more of a body than it says, of a task alone a catalogue', async () => {
    const wide = JSON.stringify({ channel: 'stable', more: 'x'.repeat(2 ** 16) });
    for (const path of ['films/models/0/promote', 'films/channels/stable/rollback', 'films/pause'])
      expect(await ask('POST', `/api/v1/tasks/${path}`, token, wide)).toMatchObject([
        413,
        { error: { code: 'http/too-large' } },
      ]);
    expect((await ask('POST', '/api/v1/tasks', token, wide))[0]).toBe(400);
  });

  it('tells everything that is wrong with a task at once, a name that is taken too', async () => {
    const told = async (more: object): Promise<string[]> => {
      const [status, answer] = await ask(
        'POST',
        '/api/v1/tasks',
        token,
        JSON.stringify({ ...task, ...more }),
      );
      const { error } = answer as { error: { code: string; problems?: { path: string }[] } };
      return [`${status} ${error.code}`, ...(error.problems ?? []).map(({ path }) => path)];
    };
    const privacy = { mechanism: 'skellam', epsilon: -1 };
    const [round, model] = [{ cohort: 3 }, { family: 'mf', dimension: -1 }];
    const wrong = { round, model, insecureSmallCohort: false };
    expect(await told({ ...wrong, privacy, foo: 1, catalogue: { ids: ['a', 'a'] } })).toEqual([
      ...['400 http/bad-request', 'catalogue.ids', 'privacy.epsilon', 'body'],
      ...['model.dimension', 'round.cohort', 'round.smallestCohort', 'name'],
    ]);
    expect(await told(wrong)).toEqual([
      ...['400 http/bad-request', 'name', 'model.dimension', 'round.cohort', 'round.smallestCohort'],
    ]);
    expect(await told({})).toEqual(['409 task/exists']);
  });

  it('refuses what is not of the form that it describes', () => {
    const status = coordinator.coordination.status('films');
    const form = formOf('/api/v1/tasks/{task}', 'get', 200);
    expect(form.safeParse(status).success).toBe(true);
    expect(form.safeParse({ ...status, clients: ['somebody'] }).success).toBe(false);
    expect(form.safeParse({ ...status, run: 'asleep' }).success).toBe(false);
  });
});

it('lists the tasks that are run, and says of one that no process of a cluster runs when to come again', async () => {
  await using coordinator = await createCoordinator({
    config: { listen: { port: 0 }, tasks: [task] },
    ...{ store: memoryStore(), blobs: memoryBlobs(nodeCrypto) },
    // As a gateway knows its tasks: by their configuration.
    async coordinate(options) {
      const run = await createCoordination(options);
      return Object.create(run, {
        taskNames: { get: () => [...run.taskNames, 'books'] },
        registry: {
          value() {
            throw new EnvironmentError('postgres://tutti:secret@db does not answer');
          },
        },
      }) as typeof run;
    },
  });
  const url = await coordinator.listen();
  for (const path of ['/v1/status', '/api/v1/tasks']) {
    const { tasks } = (await (await fetch(`${url}${path}`)).json()) as { tasks: { task: string }[] };
    expect(tasks.map((one) => one.task)).toEqual(['films']);
  }
  for (const path of ['/v1/tasks/books', '/v1/tasks/books/rounds', '/api/v1/tasks/books/rounds']) {
    const answer = await fetch(url + path);
    expect([answer.status, answer.headers.get('retry-after'), await answer.json()]).toMatchObject([
      ...[503, '10'],
      { error: { code: 'task/no-owner', retryAfterMs: 10_000 } },
    ]);
  }
  const told = async (path: string, method = 'GET'): Promise<unknown[]> => {
    const answer = await fetch(url + path, { method });
    return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code];
  };
  // What is told of a database that is away quotes nothing.
  expect(await told('/api/v1/tasks/films/models')).toEqual([
    503,
    expect.stringMatching(/^[a-z-]+\/[a-z-]+$/),
  ]);
  expect(await (await fetch(`${url}/api/v1/tasks/films/models`)).text()).not.toContain('secret');
  expect(await told('/v1/tasks/nothing')).toEqual([404, 'http/unknown-task']);
  // Without a token nobody learns which of them there is.
  for (const task of ['books', 'nothing'])
    expect(await told(`/api/v1/tasks/${task}/pause`, 'POST')).toEqual([401, 'http/unauthorized']);
});

it('says that a database is away in time, begins nothing meanwhile, and logs it as what it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-api-'));
  const tokens = join(folder, 'tokens.json');
  const authorization = `Bearer ${createToken(tokens, { name: 'ada', role: 'operate' })}`;
  const store = memoryStore();
  let isAway = false;
  const silence = new Promise<never>(() => undefined);
  const said: object[] = [];
  await using coordinator = await createCoordinator({
    config: { listen: { port: 0 }, tokens, tasks: [task] },
    store: { ...store, get: (key) => (isAway ? silence : store.get(key)) },
    blobs: memoryBlobs(nodeCrypto),
    log: { write: (event, fields) => void said.push({ event, ...fields }) },
    patience: { answerMs: 50 },
    async coordinate(options) {
      const run = await createCoordination(options);
      const registry = { models: () => silence, find: () => silence, current: () => silence };
      return Object.create(run, {
        registry: { value: (name: string) => (isAway ? registry : run.registry(name)) },
      }) as typeof run;
    },
  });
  const url = await coordinator.listen();
  const told = async (path: string, method = 'GET'): Promise<unknown[]> => {
    const body = method === 'GET' ? {} : { body: JSON.stringify({ ...task, name: 'books' }) };
    const headers = { authorization, 'content-type': 'application/json' };
    const answer = await fetch(`${url}/api/v1${path}`, { method, headers, ...body });
    return [answer.status, answer.headers.get('retry-after')];
  };
  isAway = true;
  const asked = [
    ...['/tasks/films/models?limit=1', '/tasks/films/models/1'].map((path) => told(path)),
    ...[told('/tasks/films/channels/stable'), told('/tasks', 'POST')],
  ];
  expect(await Promise.all(asked)).toEqual(Array(4).fill([503, '10']));
  expect(said.filter((line) => 'part' in line)).toMatchObject(
    Array(4).fill({ event: 'failed', part: 'environment', code: 'server/no-word' }),
  );
  isAway = false;
  expect(await told('/tasks/films/models')).toEqual([200, null]);
  expect(coordinator.coordination.taskNames).toEqual(['films']);
  expect(await told('/tasks', 'POST')).toEqual([201, null]);
  rmSync(folder, { recursive: true, force: true });
});
