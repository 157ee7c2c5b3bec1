import * as z from 'zod';
import { PROBLEMS, problemSchema, type ApiRoute } from './api-route.ts';

/** Where the interface is served. */
export const API_PREFIX = '/api/v1';

/** Whether a schema is described as it is written or as it is read. */
type Direction = 'input' | 'output';

/** Schemas that the description names. They are the ones that requests and answers are checked with. */
export type NamedSchemas = ReadonlyMap<z.core.$ZodType, { readonly name: string; readonly io: Direction }>;

/**
 * The OpenAPI 3.1 description of routes.
 * @param names schemas that the description refers to by name; others stand where they are used.
 */
export function openApiOf(routes: readonly ApiRoute[], names: NamedSchemas): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  const schemaOf: SchemaWriter = (schema, io = 'output') =>
    names.has(schema) ? reference(schema, names) : written(schema, io, names);
  for (const route of routes) {
    const path = `${API_PREFIX}${route.path}`;
    paths[path] = { ...paths[path], [route.method]: operationOf(route, schemaOf) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tutti coordinator',
      version: '1',
      description: 'Reading is open; what changes something needs a token (`tutti token create`).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: Object.fromEntries(
        [...names].map(([schema, { name, io }]) => [name, written(schema, io, names)] as const),
      ),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

/** A reference where the schema has a name, and the schema itself where it has none. */
type SchemaWriter = (schema: z.ZodType, io?: Direction) => Record<string, unknown>;

const reference = (schema: z.core.$ZodType, names: NamedSchemas): Record<string, unknown> => ({
  $ref: `#/components/schemas/${names.get(schema)?.name ?? ''}`,
});

/** The schema as JSON schema, with references to what is named within it. */
function written(schema: z.core.$ZodType, io: Direction, names: NamedSchemas): Record<string, unknown> {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io,
    override({ zodSchema, jsonSchema }) {
      if (zodSchema === schema || !names.has(zodSchema)) return;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key as keyof typeof jsonSchema];
      Object.assign(jsonSchema, reference(zodSchema, names));
    },
  });
  return rest;
}

function operationOf(route: ApiRoute, schemaOf: SchemaWriter): Record<string, unknown> {
  const { operation: operationId, summary, role, body } = route;
  return {
    operationId,
    summary,
    ...(role === undefined
      ? {}
      : { description: `Needs a token of role ${role}.`, security: [{ token: [] }] }),
    parameters: [...pathParameters(route), ...queryParameters(route, schemaOf)],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }),
    responses: { ...answerOf(route, schemaOf), ...problemsOf(route, schemaOf) },
  };
}

const pathParameters = ({ path }: ApiRoute): object[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true, schema: { type: 'string' } },
  }));

function queryParameters({ query }: ApiRoute, schemaOf: SchemaWriter): object[] {
  if (query === undefined) return [];
  // Numbers arrive as text: what they are read as is what is described.
  const { properties = {} } = schemaOf(query) as { properties?: Record<string, { description?: string }> };
  const { required = [] } = schemaOf(query, 'input') as { required?: string[] };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    ...{ name, in: 'query', required: required.includes(name), schema },
    ...(description === undefined ? {} : { description }),
  }));
}

function answerOf({ answer }: ApiRoute, schemaOf: SchemaWriter): Record<string, unknown> {
  if (answer.kind === 'stream')
    return {
      200: {
        description: answer.description,
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
    };
  const { status, schema } = answer;
  return {
    [status]: { description: 'done', content: { 'application/json': { schema: schemaOf(schema) } } },
  };
}

/** Every status of a problem that a route may answer with, as far as its definition tells. */
export function problemStatuses({ method, role, query, path, answer, problems = [] }: ApiRoute): number[] {
  const follow = [
    ...(query !== undefined || method === 'post' || path.includes('{') ? [400] : []),
    ...(role === undefined ? [] : [401, 403]),
    ...(path.includes('{') ? [404] : []),
    ...(path.includes('{task}') ? [503] : []),
    ...(method === 'post' ? [413, 415] : []),
    429,
    ...(answer.kind === 'stream' ? [503] : []),
  ];
  return [...new Set([...follow, ...problems])].sort();
}

const problemsOf = (route: ApiRoute, schemaOf: SchemaWriter): Record<string, unknown> =>
  Object.fromEntries(
    problemStatuses(route).map((status) => [
      status,
      {
        description: PROBLEMS[status as keyof typeof PROBLEMS],
        content: { 'application/json': { schema: schemaOf(problemSchema) } },
      },
    ]),
  );
