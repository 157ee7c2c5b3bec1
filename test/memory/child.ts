import { appendFileSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createClient, createSharedEngine, type Client } from '@tutti/client-node';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { createCoordinator, jsonLog } from '@tutti/server';
import { openLmdbStorage } from '@tutti/storage-lmdb';

/**
 * A real coordinator on disk and real clients on sockets, in one process, for one round; then it waits, to be looked at from outside.
 *
 * Every secret that the round makes is told to the parent through a file, with all its bits turned over, so that this process holds no
 * copy of it that the protocol did not make. Arguments: a folder, and the file.
 */

const CLIENTS = 6;
const FILMS = Array.from({ length: 400 }, (_, film) => `film-${film}`);

const [folder, secrets] = process.argv.slice(2) as [string, string];
const file = openSync(secrets, 'a');
const line = Buffer.alloc(64);

/** Bytes of a secret that are told: what is shorter is too common, what is longer is shown by its first. */
const TOLD = 32;

function tell(label: string, secret: Uint8Array, from = 0): void {
  if (secret.length < from + TOLD) return;
  line.fill(0);
  line.write(label, 0, 32, 'latin1');
  for (let i = 0; i < TOLD; i++) line[32 + i] = (secret[from + i] as number) ^ 0xff;
  writeSync(file, line);
}

/** A few windows of a vector. */
function tellVector(label: string, words: Uint32Array): void {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  for (let window = 0; window < 8; window++) tell(label, bytes, 4 * (window * (words.length >> 3) + 5));
}

/** The masked input as it is, and as the coordinator unpacks it from words of three bytes. */
function tellMasked(words: Uint32Array): void {
  tellVector('masked input', words);
  const unpacked = words.map((word) => word & 0xffffff);
  tellVector('unpacked input', unpacked);
  unpacked.fill(0);
}

/** Whether it is the client's masking that asks, and not the coordinator's unmasking: the sum is no secret. */
const onDevice = (): boolean => /client-(?:input|keys)/.test(new Error().stack ?? '');

watchCrypto(nodeCrypto);
watchSockets();

const gc = (globalThis as { gc?: () => void }).gc;
if (gc === undefined) throw new Error('run with --expose-gc');

const storage = await openLmdbStorage(join(folder, 'coordinator'), nodeCrypto);
const coordinator = await createCoordinator({
  store: storage.store,
  blobs: storage.blobs,
  log: jsonLog({ level: 'debug', destination: process.stdout }),
  config: {
    listen: { port: 0 },
    tasks: [
      {
        name: 'films',
        catalogue: { ids: FILMS },
        meanHistory: 50,
        model: { family: 'mf', dimension: 8 },
        rounds: 1,
        round: { cohort: CLIENTS, smallestCohort: 3, overselection: 1, selectionMs: 200 },
        insecureSmallCohort: true,
      },
    ],
  },
});
const url = await coordinator.listen();
const engine = await createSharedEngine();
const clients: Client[] = [];
for (let i = 0; i < CLIENTS; i++) {
  const client = await createClient({
    coordinator: url,
    task: 'films',
    store: join(folder, `client-${i}`),
    engine,
    policy: { smallestCohort: 2, insecureSmallCohort: true },
    answerEveryMs: 20,
  });
  await client.record(FILMS.slice(9 * i, 9 * i + 20).map((item) => ({ item })));
  for (const event of ['phase', 'round', 'refused', 'declined'] as const)
    client.on(event, (what) => void process.stdout.write(`${JSON.stringify(what)}\n`));
  clients.push(client);
}
const stop = new AbortController();
const committed = new Promise<void>((resolve) =>
  coordinator.coordination.subscribe(({ type }) => {
    if (type === 'committed') resolve();
  }),
);
const running = clients.map((client) => client.participate({ signal: stop.signal }));
await committed;
// Outcomes reach the clients, which then wait for another round: this is a federation at rest, not one that has ended.
await wait(500);
const planted = plant();
for (let i = 0; i < 6; i++) {
  gc();
  await wait(50);
}
process.stdout.write('ready\n');
await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()));
stop.abort();
await Promise.all(running);
await Promise.all(clients.map((client) => client.close()));
await coordinator.close();
await storage.close();
process.stdout.write(`planted ${planted.size}\n`);
process.exit(0);

/** Secrets that are left behind on purpose, one in each place: what does not find them finds nothing. */
function plant(): Map<string, unknown> {
  const kept = new Map<string, unknown>();
  const secret = (label: string): Buffer => {
    const bytes = Buffer.alloc(TOLD);
    crypto.getRandomValues(bytes);
    tell(label, bytes);
    return bytes;
  };
  kept.set('array', secret('planted in an array'));
  const text = secret('planted in a text');
  kept.set('text', text.toString('hex'));
  text.fill(0);
  const onDisk = secret('planted on the disk');
  writeFileSync(join(folder, 'left'), onDisk);
  appendFileSync(join(folder, 'left'), 'end');
  const inLog = secret('planted in the log');
  process.stderr.write(`oops ${inLog.toString('base64')}\n`);
  // In memory there is none of these: what finds them looks at the disk, and at what was said.
  onDisk.fill(0);
  inLog.fill(0);
  return kept;
}

/** Hears every secret that passes through the crypto suite. */
function watchCrypto(suite: { -readonly [Name in keyof CryptoSuite]: CryptoSuite[Name] }): void {
  const { boxKeyPair, digest, seal, sharedKey, addKeystream, addKeystreams } = suite;
  suite.boxKeyPair = (random) => {
    const pair = boxKeyPair(random);
    tell('secret key', pair.secretKey);
    return pair;
  };
  suite.digest = (label, ...parts) => {
    const result = digest(label, ...parts);
    if (label === 'commit-seed') tell('self seed', parts[1] as Uint8Array);
    if (label === 'self' || label === 'pair') tell(`${label} mask key`, result);
    return result;
  };
  suite.seal = (plaintext, nonce, key) => {
    if (onDevice()) tell('seed share', plaintext);
    if (onDevice()) tell('key share', plaintext, 32);
    return seal(plaintext, nonce, key);
  };
  suite.sharedKey = (peer, secretKey) => {
    const shared = sharedKey(peer, secretKey);
    tell('shared key', shared);
    return shared;
  };
  suite.addKeystream = (target, seed, sign) => {
    if (onDevice()) tellVector('half-masked input', target);
    addKeystream(target, seed, sign);
    if (onDevice()) tellMasked(target);
  };
  suite.addKeystreams = (target, streams) => {
    if (onDevice()) tellVector('quantized input', target);
    addKeystreams(target, streams);
    if (onDevice()) tellMasked(target);
  };
}

/** Hears the frames that clients send: a masked vector as it is on the wire. */
function watchSockets(): void {
  const require = createRequire(createRequire(import.meta.url).resolve('socket.io-client'));
  const { WebSocket } = createRequire(require.resolve('engine.io-client'))('ws') as {
    WebSocket: { prototype: { send(data: unknown, ...rest: unknown[]): void } };
  };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data, ...rest) {
    const isServer = (this as { _isServer?: boolean })._isServer === true;
    if (!isServer && data instanceof Uint8Array && data.length > 4_096)
      for (let window = 0; window < 8; window++)
        tell('masked frame', data, 200 + window * ((data.length - 300) >> 3));
    send.call(this, data, ...rest);
  };
}
