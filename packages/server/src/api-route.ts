import { FederatedError } from '@tutti/base';
import type { FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { pathText } from './paths.ts';
import type { Problem } from './task-of.ts';
import type { Role } from './token-file.ts';
import type { Identity } from './tokens.ts';

/** Statuses that a route may answer a problem with, and what each means. */
export const PROBLEMS = {
  400: 'something in the request is wrong; all of it is named, each with its path',
  401: 'no token, or none that is known',
  403: 'the token’s role is not enough',
  404: 'there is no such thing here',
  409: 'that does not go with how things stand',
  413: 'http/too-large: the body is larger than is read here, 64 KiB unless a catalogue may be in it',
  415: 'the body is not JSON',
  429: 'over a limit; come back when it says',
  503: 'not now; come back when it says',
} as const;
type ProblemStatus = keyof typeof PROBLEMS;

/** What a problem is answered with. */
export const problemSchema = z
  .strictObject({
    error: z.strictObject({
      code: z.string().describe('for programs: what happened'),
      message: z.string().describe('for people: what happened, and what to do next'),
      retryAfterMs: z.number().optional(),
      problems: z.array(z.strictObject({ path: z.string(), problem: z.string() })).optional(),
    }),
  })
  .describe('what is wrong');

/** A request that cannot be served, by name. */
export class ApiError extends FederatedError {
  override readonly name = 'ApiError';
  readonly fault = 'caller' as const;
  constructor(
    readonly status: ProblemStatus,
    readonly code: string,
    message: string,
    /** All that is wrong with the request; or when it may be made again, in milliseconds. */
    readonly more: { readonly problems?: readonly Problem[]; readonly retryAfterMs?: number } = {},
  ) {
    super(message);
  }
}

/** What a handler is given: everything checked. */
export interface ApiCall<Query, Body> {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** Who asks, where the route needs a token. */
  readonly by: Identity | undefined;
}

interface RouteText {
  readonly method: 'get' | 'post';
  /** With parameters in braces, such as `/tasks/{task}`. */
  readonly path: string;
  /** Name of the operation, unique. */
  readonly operation: string;
  readonly summary: string;
  /** The least role; everybody may where there is none. */
  readonly role?: Role;
  /** Problems beside 400, 401, 403 and 429, which follow from the rest. */
  readonly problems?: readonly ProblemStatus[];
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Largest body where it may be larger than others, in bytes. */
  readonly largestBody?: number;
  /** Everything that is wrong with a body whose form is, where more can be said of it than its schema does. */
  readonly bodyProblems?: (body: unknown) => readonly Problem[];
}

/** A route, as it is served and as it is described: one definition for both. */
export interface ApiRoute extends RouteText {
  readonly answer: ApiAnswer;
}

type ApiAnswer =
  | {
      readonly kind: 'json';
      readonly status: 200 | 201;
      readonly schema: z.ZodType;
      run(call: ApiCall<unknown, unknown>): Promise<unknown>;
    }
  | {
      readonly kind: 'stream';
      readonly description: string;
      run(call: ApiCall<unknown, unknown>, request: FastifyRequest, reply: FastifyReply): void;
    };

/** A route that answers JSON of a form that is checked before it leaves. */
export function jsonRoute<
  Answer extends z.ZodType,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodUndefined,
>(
  route: RouteText & {
    readonly query?: Query;
    readonly body?: Body;
    readonly status?: 200 | 201;
    readonly schema: Answer;
    handle(call: ApiCall<z.output<Query>, z.output<Body>>): Promise<z.input<Answer>> | z.input<Answer>;
  },
): ApiRoute {
  const { handle, schema, status = 200, ...text } = route;
  const run = async (call: ApiCall<unknown, unknown>): Promise<unknown> =>
    schema.parse(await handle(checked(text, call) as ApiCall<z.output<Query>, z.output<Body>>));
  return { ...text, answer: { kind: 'json', status, schema, run } };
}

/** A route that answers with events as they happen. */
export function streamRoute<Query extends z.ZodObject>(
  route: RouteText & {
    readonly query: Query;
    readonly description: string;
    handle(call: ApiCall<z.output<Query>, undefined>, request: FastifyRequest, reply: FastifyReply): void;
  },
): ApiRoute {
  const { handle, description, ...text } = route;
  return {
    ...text,
    answer: {
      kind: 'stream',
      description,
      run: (call, request, reply) =>
        handle(checked(text, call) as ApiCall<z.output<Query>, undefined>, request, reply),
    },
  };
}

/** The call with its query and its body as their schemas give them. @throws {ApiError} with everything that is wrong. */
function checked(
  { query, body, bodyProblems }: Pick<RouteText, 'query' | 'body' | 'bodyProblems'>,
  call: ApiCall<unknown, unknown>,
): ApiCall<unknown, unknown> {
  const [asked, sent] = [query?.safeParse(call.query), body?.safeParse(call.body)];
  const problems = [
    ...problemsOf(asked?.error?.issues, 'query'),
    ...(sent?.error === undefined
      ? []
      : (bodyProblems?.(call.body) ?? problemsOf(sent.error.issues, 'body'))),
  ];
  if (problems.length > 0) throw badRequest(problems);
  return { ...call, query: asked?.data, body: sent?.data };
}

/** Issues with their paths. @param where what the whole is called. */
export const problemsOf = (issues: readonly z.core.$ZodIssue[] = [], where: string): Problem[] =>
  issues.map(({ path, message }) => ({
    path: path.length === 0 ? where : pathText(path),
    problem: message,
  }));

/** Everything that is wrong with a request, each with its path. */
export const badRequest = (problems: readonly Problem[]): ApiError =>
  new ApiError(
    400,
    'http/bad-request',
    problems.map(({ path, problem }) => `${path}: ${problem}`).join('\n'),
    { problems },
  );
