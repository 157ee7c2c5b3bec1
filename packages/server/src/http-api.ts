import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { API_PREFIX, openApiOf } from './api-openapi.ts';
import type { ApiRoute } from './api-route.ts';
import { SCHEMA_NAMES } from './api-names.ts';
import { refuseRequest, type Admission } from './http-admission.ts';
import { inTime } from './in-time.ts';
import type { Role } from './token-file.ts';
import { mayDo, type Identity, type Tokens } from './tokens.ts';

/** What the interface is served with. */
export interface ApiOptions {
  readonly routes: readonly ApiRoute[];
  readonly tokens: Tokens;
  readonly admission: Admission;
  /** Resolves once the storage answers. */
  readonly reach: () => Promise<unknown>;
  /** How long it may take to, in milliseconds. */
  readonly answerMs: number;
}

/**
 * Serves routes and their description. Who may is asked before anything else is looked at: without a token, nobody learns what there is.
 */
export function serveApi(app: FastifyInstance, options: ApiOptions): void {
  const { routes, tokens, admission } = options;
  const identities = new WeakMap<FastifyRequest, Identity>();
  const guard =
    (role: Role) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
      const identity = tokens.identify(request.headers.authorization);
      if (identity === undefined) return unauthorized(reply);
      const refused = await admission.gate.token(identity.name);
      if (refused !== undefined) return refuseRequest(reply, admission, refused, request);
      if (!mayDo(identity.role, role)) return forbidden(reply, identity, role);
      identities.set(request, identity);
      return undefined;
    };
  for (const path of new Set(routes.map((route) => route.path))) refuseOthers(app, routes, path, guard);
  const description = openApiOf(routes, SCHEMA_NAMES);
  app.get(`${API_PREFIX}/openapi.json`, async () => description);
  for (const { method, path, role, largestBody, answer } of routes)
    app.route<{ Params: Record<string, string> }>({
      ...{ method: method.toUpperCase(), url: urlOf(path) },
      ...(role === undefined ? {} : { onRequest: guard(role) }),
      ...(largestBody === undefined ? {} : { bodyLimit: largestBody }),
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        const { params, query } = request;
        const call = { params, query, body: request.body, by: identities.get(request) };
        if (answer.kind === 'json')
          return reply
            .code(answer.status)
            .header('cache-control', 'no-store')
            .send(await answered(method, () => answer.run(call), options));
        answer.run(call, request, reply);
        return reply;
      },
    });
}

/** What is read comes in time or not at all. Nothing is begun that changes something while the storage is away: it would be done later, unasked. */
async function answered<T>(
  method: ApiRoute['method'],
  run: () => Promise<T>,
  { reach, answerMs }: Pick<ApiOptions, 'reach' | 'answerMs'>,
): Promise<T> {
  if (method === 'get') return inTime(run(), answerMs);
  await inTime(reach(), answerMs);
  return run();
}

/** Methods that a path may be asked with. What asks before another site asks is not among them: it has an answer of its own. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Answers a method that a path does not have with those that it has. Where each of them needs a token, so does this. */
function refuseOthers(
  app: FastifyInstance,
  routes: readonly ApiRoute[],
  path: string,
  guard: (role: Role) => (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>,
): void {
  const here = routes.filter((route) => route.path === path);
  const allowed = here.map(({ method }) => method.toUpperCase());
  const least = here.every(({ role }) => role !== undefined) ? here[0]?.role : undefined;
  app.route({
    method: METHODS.filter((method) => !allowed.includes(method)),
    url: urlOf(path),
    // Before a body is read: whatever it is, it is not taken.
    async onRequest(request, reply) {
      const refused = least === undefined ? undefined : await guard(least)(request, reply);
      if (refused !== undefined) return refused;
      const message = `${request.method} is not what is done here: ${allowed.join(', ')}`;
      return reply
        .code(405)
        .header('allow', allowed.join(', '))
        .send({ error: { code: 'http/method-not-allowed', message } });
    },
    handler: (_request, reply) => reply.callNotFound(),
  });
}

const urlOf = (path: string): string => API_PREFIX + path.replace(/\{(\w+)\}/g, ':$1');

/** The same for no token, one that is malformed and one that is unknown. */
const unauthorized = (reply: FastifyReply): FastifyReply =>
  reply
    .code(401)
    .header('www-authenticate', 'Bearer')
    .send({ error: { code: 'http/unauthorized', message: 'unauthorized' } });

const forbidden = (reply: FastifyReply, { name, role }: Identity, needed: Role): FastifyReply =>
  reply.code(403).send({
    error: {
      code: 'http/forbidden',
      message: `the token ${name} has role ${role}; ${needed} is needed (tutti token create --role ${needed})`,
    },
  });
