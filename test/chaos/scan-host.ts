import { openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createClient, createSharedEngine } from '@tutti/client-node';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { SCAN_FILMS, turnedWindows } from './scan-inputs.ts';

/**
 * A process with people's devices, whose masked inputs are looked for in other places. Windows of each are told through a file, with all
 * bits turned over, so that the file is none of those places. It says `masked` for each; and from the first one on it sends nothing until
 * it hears a line: everybody's first input then is on its way at a moment that the parent chose.
 * Arguments: address of a gateway, folder of the devices, number of the first one, devices, the file.
 */
const [url, folder, first, count, told] = process.argv.slice(2) as [string, string, string, string, string];
const file = openSync(told, 'a');
const waiting: (() => void)[] = [];
let isHeld = false;
let wasHeld = false;

watchInputs(nodeCrypto);
holdSockets();
process.stdin.once('data', () => {
  isHeld = false;
  for (const send of waiting.splice(0)) send();
});

const engine = await createSharedEngine({ backend: 'wasm' });
await Promise.all(
  Array.from({ length: Number(count) }, async (_, i) => {
    const number = Number(first) + i;
    const client = await createClient({
      coordinator: url,
      task: 'films',
      store: `${folder}/client-${number}`,
      engine,
      policy: { smallestCohort: 2, insecureSmallCohort: true },
      backOff: { firstMs: 50, mostMs: 400 },
      answerEveryMs: 10,
    });
    await client.record(SCAN_FILMS.slice(9 * number, 9 * number + 20).map((item) => ({ item })));
    client.on('round', ({ outcome, reason }) => process.stdout.write(`${outcome} ${reason ?? ''}\n`));
    await client.participate({ signal: new AbortController().signal });
  }),
);

function watchInputs(suite: { -readonly [Name in keyof CryptoSuite]: CryptoSuite[Name] }): void {
  const { addKeystreams } = suite;
  suite.addKeystreams = (target, streams) => {
    addKeystreams(target, streams);
    if (!(new Error().stack ?? '').includes('client-input')) return;
    writeSync(file, turnedWindows(target));
    if (!wasHeld) isHeld = true;
    wasHeld = true;
    process.stdout.write('masked\n');
  };
}

/** Keeps what clients send until they may. */
function holdSockets(): void {
  const require = createRequire(createRequire(import.meta.url).resolve('socket.io-client'));
  const { WebSocket } = createRequire(require.resolve('engine.io-client'))('ws') as {
    WebSocket: { prototype: { send(...sent: unknown[]): void } };
  };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (...sent) {
    if (isHeld) waiting.push(() => send.apply(this, sent));
    else send.apply(this, sent);
  };
}
