/**
 * Rounds of a wide catalogue through the whole coordinator on the embedded store: how long it takes to publish a slice and
 * to commit a sum, and how much memory the process comes to. Clients upload plain vectors of zeros; nothing is trained.
 *
 *     node --import ./packages/base/source.js packages/storage-lmdb/bench/wide-catalogue.bench.ts [items] [dimension] [rounds]
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson, systemRandom, utf8 } from '@tutti/base';
import { chooseSlice, createCoordination, type TaskConfig } from '@tutti/coordination';
import { createModel, recommended, resolveModelConfig } from '@tutti/model';
import { frameCount, frameOf, type CoordinatorMessage, type RoundDescription } from '@tutti/protocol';
import { clientIdOf, type ClientId, type MaskedInput } from '@tutti/secure-aggregation';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { openLmdbStorage } from '../src/index.ts';

const [items = 1_000_000, dimension = 32, rounds = 5] = process.argv.slice(2).map(Number);
const CLIENTS = 16;
const MB = 1e6;

const facts = { items, meanHistory: 50 };
const slice = chooseSlice(items, 'auto');
const model = createModel(resolveModelConfig({ family: 'mf', dimension }, facts), items);
const task: TaskConfig = {
  name: 'wide',
  model,
  catalogue: utf8(canonicalJson({ ids: Array.from({ length: items }, (_, item) => `item-${item}`) })),
  ...recommended(model.config, facts),
  rounds,
  cohort: { planned: CLIENTS, smallest: CLIENTS, largestGroup: CLIENTS, overselection: 1 },
  deadlinesMs: { train: 600_000, shareKeys: 600_000, maskedInput: 600_000, unmask: 600_000 },
  protection: 'plain',
  noise: { multiplier: 0, metricMultiplier: 0 },
  seed: '1',
  keepCheckpoints: 2,
  ...(slice === undefined ? {} : { slice }),
};

const folder = mkdtempSync(join(tmpdir(), 'tutti-wide-'));
const storage = await openLmdbStorage(folder, nodeCrypto);
const mail: { client: ClientId; message: CoordinatorMessage }[] = [];
const random = systemRandom();
const clients = Array.from({ length: CLIENTS }, () =>
  clientIdOf(nodeCrypto.signKeyPair(random).publicKey, nodeCrypto),
);
const opened = performance.now();
const coordination = await createCoordination({
  tasks: [task],
  ...storage,
  clock: { now: () => Date.now(), after: () => () => undefined },
  random,
  crypto: nodeCrypto,
  outbox: { send: (client, message) => void mail.push({ client, message }) },
});
const openSeconds = (performance.now() - opened) / 1_000;
coordination.subscribe((event) => {
  if (event.type === 'failed') throw event.error;
});

/** Waits for a message of this type to everybody. */
async function heard(type: CoordinatorMessage['type']): Promise<CoordinatorMessage[]> {
  for (;;) {
    const found = mail.filter(({ message }) => message.type === type);
    if (found.length >= CLIENTS) {
      mail.length = 0;
      return found.map(({ message }) => message);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function upload(client: ClientId, { attempt, lanes, wordBits }: RoundDescription): Promise<void> {
  const words = new Uint32Array(lanes.length) as MaskedInput;
  for (let frame = 0; frame < frameCount(words.length, wordBits); frame++)
    await coordination.handle(client, frameOf(attempt, words, frame, wordBits));
}

const seconds = { publish: [] as number[], commit: [] as number[] };
let description: RoundDescription | undefined;
for (const client of clients) coordination.connected('wide', client);
for (let round = 1; round <= rounds; round++) {
  const began = performance.now();
  for (const client of clients) await coordination.handle(client, { type: 'check-in' });
  const [told] = await heard('describe');
  seconds.publish.push((performance.now() - began) / 1_000);
  if (told?.type !== 'describe') throw new Error('no description');
  ({ description } = told);
  for (const client of clients)
    await coordination.handle(client, {
      type: 'advertise-keys',
      attempt: description.attempt,
      bundle: new Uint8Array(0),
    });
  await heard('relay-shares');
  for (const client of clients.slice(1)) await upload(client, description);
  const last = performance.now();
  await upload(clients[0] as ClientId, description);
  await heard('outcome');
  seconds.commit.push((performance.now() - last) / 1_000);
}
await coordination.close();
await storage.close();

const spread = (values: number[]): string => {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.floor(share * (sorted.length - 1))] as number).toFixed(2);
  return `${at(0.5)} s (${at(0)} – ${at(1)})`;
};
const table = 4 * model.layout.length;
const up = (4 * (description?.lanes.length ?? 0)) / MB;
const down = (description?.slice?.bytes ?? table) / MB;
const file = statSync(join(folder, 'data.mdb')).size / MB;
console.log(`${cpus()[0]?.model}, Node ${process.version}, ${rounds} rounds, ${CLIENTS} clients`);
console.log(
  `${items} items × ${dimension}: table ${(table / MB).toFixed(1)} MB, opened in ${openSeconds.toFixed(1)} s`,
);
console.log(`a round: ${up.toFixed(2)} MB up, ${down.toFixed(2)} MB down a client`);
console.log(`publish ${spread(seconds.publish)}, commit ${spread(seconds.commit)}`);
console.log(
  `most memory ${((process.resourceUsage().maxRSS * 1_024) / MB).toFixed(0)} MB, store ${file.toFixed(0)} MB`,
);
rmSync(folder, { recursive: true, force: true });
