import { isIP } from 'node:net';
import * as z from 'zod';

/** What a coordinator needs beside its tasks: where it listens, what it says, what it bears. Nothing here has to be given. */

/** An address, or a network such as 10.0.0.0/8. */
const network = z.string().check(({ value, issues }) => {
  const [address = '', bits, ...more] = value.split('/');
  const family = isIP(address);
  const isPrefix =
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
  if (family === 0 || !isPrefix || more.length > 0)
    issues.push({
      code: 'custom',
      input: value,
      message: 'an address, or a network such as 10.0.0.0/8, is expected',
    });
});

export const listenSchema = z
  .strictObject({
    host: z.string().default('127.0.0.1'),
    port: z.int().min(0).max(65_535).default(4_170),
    tls: z
      .strictObject({
        certificate: z
          .string()
          .min(1)
          .describe('PEM file: the certificate and those between it and its root'),
        key: z.string().min(1).describe('PEM file: its private key'),
      })
      .optional()
      .describe('HTTPS from these files, which are read again on SIGHUP; without it, HTTP'),
    trustedProxies: z
      .array(network)
      .max(256)
      .default([])
      .describe(
        'proxies whose X-Forwarded-For is believed: addresses and networks; nobody else’s is, so that no client chooses its own address',
      ),
  })
  .prefault({});

export const logSchema = z
  .strictObject({
    format: z
      .enum(['lines', 'json'])
      .default('lines')
      .describe('lines for people, or one JSON object a line, both on stderr'),
    level: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('of JSON logs'),
  })
  .prefault({});

/** As `isTrackerAddress` of `@tutti/trackers`, which reads it, has it. */
function isTrackerAddress(text: string): boolean {
  const [, kind, where = ''] = /^(jsonl|tensorboard|mlflow):(.+)$/.exec(text) ?? [];
  if (kind !== 'mlflow') return kind !== undefined;
  if (!URL.canParse(where)) return false;
  const { protocol, username, password } = new URL(where);
  return ['http:', 'https:'].includes(protocol) && username === '' && password === '';
}

export const trackersSchema = z
  .array(
    z
      .string()
      .refine(
        isTrackerAddress,
        'jsonl:FOLDER, tensorboard:FOLDER or mlflow:http://HOST:5000 is expected; a password stands in MLFLOW_TRACKING_PASSWORD',
      ),
  )
  .max(16)
  .default([])
  .describe(
    'where rounds are kept as curves: jsonl:FOLDER, tensorboard:FOLDER, mlflow:URL?experiment=NAME (docs/trackers.md)',
  );

export const metricsSchema = z
  .enum(['open', 'off'])
  .default('open')
  .describe('who may read /metrics: everybody, nobody');

export const drainSchema = z
  .strictObject({
    deadlineMs: z
      .int()
      .min(0)
      .max(3_600_000)
      .default(20_000)
      .describe('how long a round that is going on may take to end after SIGTERM'),
  })
  .prefault({});

const most = (value: number) => z.int().min(1).max(1_000_000_000).default(value);

export const limitsSchema = z
  .strictObject({
    connections: most(20_000).describe('sockets at a time'),
    connectionsPerAddress: most(1_000).describe('sockets at a time from one address'),
    handshakesPerMinute: most(1_200).describe('new sockets a minute from one address'),
    requestsPerMinute: most(1_200).describe('HTTP requests a minute from one address, and with one token'),
    messagesPerMinute: most(6_000).describe('messages a minute of one client, whatever its address'),
    halfOpenUploads: most(4_096).describe(
      'uploads of a task that may be half done at a time; a client has one at most, and one that rests for ten seconds makes room',
    ),
    inFlight: most(8).describe('messages of one socket that may be in work at a time'),
    bytesInFlight: most(268_435_456).describe('bytes of all messages that may be in work at a time'),
  })
  .prefault({})
  .describe(
    'what is over one is refused by name, with a time to come back; addresses of this machine have no limit of their own',
  );
