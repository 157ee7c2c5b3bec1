import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { mlflowSecrets, mlflowTracker, type Tracker } from './index.ts';

/** What a server can do to a tracker that is not what MLflow does; the real one is in real.spec.ts. */

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function open(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  over: { authorization?: string } = {},
): Promise<Tracker> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return mlflowTracker({
    ...{ url: `http://127.0.0.1:${port}`, experiment: 'tutti', run: { name: 'films', id: 'films' } },
    ...{ timeoutMs: 500, ...over },
  });
}

describe('a server that is not as it should be', () => {
  it.each([
    [
      'says no',
      403,
      '{"error_code":"PERMISSION_DENIED","message":"ask somebody"}',
      'answered 403: ask somebody',
    ],
    ['says no without a reason', 500, '<html>', 'the server answered 500'],
    ['is another server', 200, '{"hello":1}', 'was not answered as MLflow does'],
    ['answers with no JSON', 200, 'hello', 'was not answered as MLflow does'],
    ['sends elsewhere', 302, '', 'cannot be reached'],
  ])('and %s: an error that names it', async (_, status, body, problem) => {
    const opened = open((_request, response) => response.writeHead(status, { location: '/' }).end(body));
    await expect(opened).rejects.toThrow(/^mlflow:http:\/\/127\.0\.0\.1:\d+: /);
    await expect(opened).rejects.toThrow(problem);
  });

  it('and never answers: a deadline', async () => {
    await expect(open(() => undefined)).rejects.toThrow('cannot be reached within 500 ms');
  });

  it('and answers without end: no more is read than an answer can have', async () => {
    const opened = open((_request, response) => {
      const chunk = Buffer.alloc(2 ** 20, ' ');
      const more = (): void => void (response.destroyed || response.write(chunk, () => setImmediate(more)));
      more();
    });
    await expect(opened).rejects.toThrow('answered more than');
  });
});

it('credentials are those of MLflow’s own variables, and stand in no message', async () => {
  expect(mlflowSecrets({})).toEqual({});
  expect(mlflowSecrets({ MLFLOW_TRACKING_TOKEN: 'abc' })).toEqual({ authorization: 'Bearer abc' });
  const secrets = mlflowSecrets({ MLFLOW_TRACKING_USERNAME: 'me', MLFLOW_TRACKING_PASSWORD: 'p:w' });
  expect(secrets).toEqual({ authorization: `Basic ${Buffer.from('me:p:w').toString('base64')}` });
  const shown: (string | undefined)[] = [];
  const opened = open((request, response) => {
    shown.push(request.headers.authorization);
    response.writeHead(401).end('{}');
  }, secrets);
  const problem = await opened.then(
    () => '',
    (error: unknown) => String(error),
  );
  expect(shown).toEqual([secrets.authorization]);
  expect(problem).not.toContain(secrets.authorization ?? '');
  expect(problem).toContain('401');
});
