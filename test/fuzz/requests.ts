import type { SeededRandom } from '@tutti/base';
import { pick } from './messages.ts';

/** What strangers ask over HTTP: every route of the description and the others, with parameters, bodies and tokens of all kinds. */

/** As much of an OpenAPI description as is read. */
export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema?: object }[];
  readonly requestBody?: object;
}

/** A request that is about to be made. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const OTHER_PATHS = [
  ...['/', '/healthz', '/readyz', '/metrics', '/v1/status', '/v1/tasks/{task}', '/v1/tasks/{task}/rounds'],
  ...['/v1/blobs/{hash}', '/v1/tasks/{task}/log/consistency', '/v1/tasks/{task}/log/inclusion'],
  ...['/api/v1/openapi.json', '/v1/socket/', '/api/v1/nothing', '/v1/{task}'],
];
const OTHER_QUERIES = [
  ...[
    'from',
    'to',
    'size',
    'indexes',
    'task',
    'level',
    'follow',
    'after',
    'limit',
    'EIO',
    'transport',
    'sid',
  ],
  ...['__proto__', 'constructor', 'a[b]', ''],
];
/** Most parameters of queries are numbers. */
const NUMBERS = ['1', '2', '10', '100'];
const METHODS = ['GET', 'GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];
const TYPES = [
  ...['application/json', 'application/json', 'application/json; charset=x', 'text/plain', ''],
  ...['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/octet-stream'],
];

/** Text that somebody might take for a parameter. */
function word(random: SeededRandom): string {
  return pick(random, [
    ...[
      'films',
      'films',
      'books',
      '1',
      '0',
      '-1',
      '1.5',
      '1e400',
      'NaN',
      'true',
      'null',
      '',
      ' ',
      '..',
      '../..',
    ],
    ...['%', '%00', '%ff%fe', '%2e%2e%2f', '__proto__', 'constructor', 'toString', 'stable', 'canary'],
    ...[
      'ab'.repeat(32),
      '0'.repeat(64),
      'x'.repeat(random.int(3_000)),
      '\u00e9\u{1f3b5}',
      '9007199254740993',
    ],
    ...['4294967296', '0,1,2', ','.repeat(300), "'; drop table tasks; --", '<script>', '[]', '{}'],
  ]);
}

/** What is there in half of the cases, so that what comes after a name is reached. */
const parameter = (random: SeededRandom, name: string): string =>
  random.int(2) === 0 ? word(random) : (PRESENT[name] ?? word(random));
const PRESENT: Readonly<Record<string, string>> = { task: 'films', channel: 'stable', model: '0' };

/** Encoded, unless it looks encoded already. */
const encoded = (text: string): string => (text.startsWith('%') ? text : encodeURIComponent(text));

/** Makes requests out of a coordinator's own description. @param tokens one of each role. */
export function requestsOf(
  description: Description,
  tokens: readonly string[],
): (random: SeededRandom) => Asked {
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      queries: (operation.parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => name),
      takesBody: operation.requestBody !== undefined,
    })),
  );
  const others = OTHER_PATHS.map((path) => ({
    path,
    method: 'GET',
    queries: OTHER_QUERIES,
    takesBody: false,
  }));
  return (random) => {
    const { path, method, queries, takesBody } = pick(random, random.int(4) === 0 ? others : operations);
    // The task that everybody else is in is not stopped for good: there would be nothing left to try.
    const words = path.replace(/\{(\w+)\}/g, (_, name: string) =>
      path.endsWith('/stop') ? 'books' : encoded(parameter(random, name)) || '-',
    );
    const sends = takesBody ? random.int(8) !== 0 : random.int(8) === 0;
    return {
      method: random.int(12) === 0 ? pick(random, METHODS) : method,
      path: words + queryOf(random, queries),
      headers: headersOf(random, tokens, sends),
      ...(sends ? { body: bodyOf(random) } : {}),
    };
  };
}

function queryOf(random: SeededRandom, names: readonly string[]): string {
  const parts = Array.from({ length: random.int(4) }, () => {
    const name =
      random.int(6) === 0 || names.length === 0 ? pick(random, OTHER_QUERIES) : pick(random, names);
    return `${encodeURIComponent(name)}=${encoded(random.int(2) === 0 ? word(random) : pick(random, NUMBERS))}`;
  });
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

function headersOf(
  random: SeededRandom,
  tokens: readonly string[],
  sends: boolean,
): Readonly<Record<string, string>> {
  const token = pick(random, [...tokens, ...tokens, undefined, 'tutti_', 'x'.repeat(random.int(400))]);
  return {
    ...(token === undefined
      ? {}
      : { authorization: `${pick(random, ['Bearer', 'Bearer', 'Basic'])} ${token}` }),
    ...(sends ? { 'content-type': pick(random, TYPES) } : {}),
    ...(sends && random.int(10) === 0 ? { 'content-encoding': pick(random, ['gzip', 'br', 'x']) } : {}),
    ...(random.int(8) === 0
      ? { range: pick(random, ['bytes=0-9', 'bytes=9-0', 'bytes=-', 'bytes=-99999']) }
      : {}),
    ...(random.int(8) === 0 ? { accept: pick(random, ['*/*', 'text/event-stream', '', ';;']) } : {}),
    ...(random.int(8) === 0 ? { 'x-forwarded-for': pick(random, ['::1', 'x', '1.2.3.4, 5.6.7.8']) } : {}),
  };
}

/** Bodies as they would be sent; what is sent is near them. */
const TASK = {
  name: 'books',
  catalogue: { ids: ['a', 'b', 'c', 'd'] },
  meanHistory: 3,
  model: { family: 'mf', dimension: 4 },
  rounds: 2,
  round: { cohort: 20, smallestCohort: 16, deadlines: { trainMs: 1_000 } },
};
const PROMOTION = { channel: 'stable' };

const taskName = (random: SeededRandom): string => pick(random, ['books', `books-${random.int(200)}`]);

function bodyOf(random: SeededRandom): string | Uint8Array {
  switch (random.int(6)) {
    case 0:
      return Uint8Array.from({ length: random.int(400) }, () => random.int(256));
    case 1:
      return pick(random, ['', '{', '[]', 'null', '0', '"x"', '{"__proto__":{"a":1}}', '['.repeat(2_000)]);
    default:
      return JSON.stringify(
        altered(random, random.int(3) === 0 ? PROMOTION : { ...TASK, name: taskName(random) }),
      );
  }
}

/** The same with a field gone, another in its place, one too many, or a name that there is already. */
function altered(random: SeededRandom, value: Readonly<Record<string, unknown>>): unknown {
  const keys = Object.keys(value);
  const key = pick(random, keys);
  const inner = value[key];
  const deeper = typeof inner === 'object' && inner !== null && !Array.isArray(inner) && random.int(2) === 0;
  if (deeper) return { ...value, [key]: altered(random, inner as Record<string, unknown>) };
  const odd = pick<unknown>(random, [
    ...[null, true, -1, 0, 1.5, 2 ** 53, 1e308, '', word(random), [], {}, ['a', 'a'], [[[]]], { ids: [] }],
    ...['/etc/passwd', 'file:///etc/passwd', Array.from({ length: 300 }, (_, i) => `item-${i}`)],
  ]);
  const { [key]: _gone, ...rest } = value;
  return pick<unknown>(random, [rest, { ...value, [key]: odd }, { ...value, [word(random)]: odd }, value]);
}
