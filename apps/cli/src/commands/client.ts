import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { fromHex } from '@tutti/base';
import {
  createClient,
  createSharedEngine,
  type Client,
  type ClientOptions,
  type DevicePrivacy,
  type Interaction,
  type Reason,
} from '@tutti/client-node';
import { loadDataset } from '@tutti/datasets/node';
import { engineOptions, type EngineFlags } from '../engine-options.ts';
import { CommandError } from '../exit-codes.ts';
import { wrongFile } from '../data.ts';
import { httpUrl, publicKey, realNumber, wholeNumber } from '../parse.ts';
import { abortOnSignals } from '../signals.ts';
import { listLine } from '../start/closing.ts';
import { counted, openScreen } from '../ui/screen.ts';

interface ClientFlags extends EngineFlags {
  coordinator: string;
  task: string;
  store: string;
  authority?: string;
  token?: string;
  ratings?: string;
  person: number;
  rounds?: number;
  recommend?: number;
  explain?: boolean;
  diversity: number;
  maxEpsilon?: number;
  maxParticipations?: number;
  localNoise?: number;
  trustCoordinatorNoise?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  tutti client --ratings my-ratings.csv --store ./my-device            take part until Ctrl-C
  tutti client --ratings ml-100k --person 7 --rounds 3                 three rounds, then the list and an end
  tutti client --store ./my-device --rounds 0 --recommend 10 --json    only a list, from what the device knows
  tutti client --store ./my-device --rounds 0 --recommend 10 --explain --diversity 0.3
  tutti client --store ./my-device --authority 3b6a… --token token.txt    where clients must be enrolled`;

export function clientCommand(): Command {
  return new Command('client')
    .description('a headless client over a ratings file: records one person’s likes, takes part, recommends')
    .option('--coordinator <url>', 'address of the coordinator', httpUrl, 'http://localhost:4170')
    .option('--task <name>', 'name of the task', 'films')
    .option('--store <dir>', 'this device’s folder, sealed at rest', './tutti-device')
    .option('--authority <key>', 'take part only among clients that this authority enrolled', publicKey)
    .option('--token <file>', 'this device’s token, as tutti authority issue prints it')
    .option('--ratings <path>', 'ratings to record, once: a CSV with a header, or a data set folder')
    .option('--person <n>', 'which person of the ratings this device belongs to, from 0', wholeNumber(0), 0)
    .option('--rounds <n>', 'end after taking part in so many committed rounds (0: none)', wholeNumber(0))
    .option('--recommend <k>', 'print a list of k items at the end', wholeNumber(1, 10_000))
    .option('--explain', 'say which of the person’s own items speak for each item of the list')
    .option(
      '--diversity <x>',
      '0: the best items, however alike; 1: as unlike as can be',
      realNumber(0, 1),
      0,
    )
    .option('--max-epsilon <e>', 'ε that this device spends at most, by its own count', realNumber(1e-3, 1e6))
    .option('--max-participations <k>', 'attempts that this device sends an input to at most', wholeNumber(0))
    .option(
      '--local-noise <z>',
      'noise of this device’s own choice, over the clipping norm, whatever it is asked for',
      realNumber(0, 1_000),
    )
    .option('--trust-coordinator-noise', 'take part also where the coordinator adds the noise')
    .addOption(engineOptions()[0])
    .addOption(engineOptions()[1])
    .option('--json', 'one JSON object on stdout at the end; progress goes to stderr')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: ClientFlags) => runClient(flags));
}

async function runClient(flags: ClientFlags): Promise<void> {
  if (flags.explain === true && flags.recommend === undefined)
    throw new CommandError('--explain is of a list; say how long it is to be: --recommend 10');
  const signal = abortOnSignals();
  const screen = openScreen(process.stderr);
  const engine = await createSharedEngine({ engine: flags.engine, backend: flags.backend });
  await using client = await createClient({
    coordinator: flags.coordinator,
    task: flags.task,
    store: flags.store,
    engine,
    policy: policyOf(flags),
    ...(flags.token === undefined ? {} : { token: await tokenOf(flags.token) }),
  });
  if (flags.ratings !== undefined && (await client.history()).length === 0)
    await recordRatings(client, flags.ratings, flags.person);
  screen.line(
    `client ${client.id} with ${(await client.history()).length} interactions, which stay in ${flags.store}`,
  );
  tellStrangers(client, await client.history(), (line) => screen.line(line));
  const committed =
    flags.rounds === 0 ? 0 : await takePart(client, flags, signal, (line) => screen.line(line));
  screen.line(privacyLine(await client.privacy()));
  const { recommend: k, explain = false, diversity } = flags;
  const list = k === undefined ? undefined : await client.recommend({ k, explain, diversity });
  if (flags.json === true)
    process.stdout.write(
      `${JSON.stringify({ client: client.id, rounds: committed, recommendations: list ?? null, privacy: await client.privacy() })}\n`,
    );
  else
    for (const [place, { item, title, because = [] }] of (list ?? []).entries())
      process.stdout.write(`${listLine(place + 1, title ?? item, reasonText(because))}\n`);
  engine.close();
}

/** The person's items that speak for a recommended one, the most important first. */
const reasonText = (because: readonly Reason[]): string | null =>
  because.length === 0 ? null : because.map(({ item, title }) => title ?? item).join(', ');

/** What the flags ask of a round beyond the defaults. */
function policyOf(flags: ClientFlags): NonNullable<ClientOptions['policy']> {
  const { authority, maxEpsilon, maxParticipations, localNoise, trustCoordinatorNoise } = flags;
  return {
    ...(authority === undefined ? {} : { identity: 'enrolled', authorities: [authority] }),
    ...(maxEpsilon === undefined ? {} : { epsilonBudget: maxEpsilon }),
    ...(maxParticipations === undefined ? {} : { participationCap: maxParticipations }),
    ...(localNoise === undefined ? {} : { localNoiseMultiplier: localNoise }),
    ...(trustCoordinatorNoise === undefined ? {} : { trustCoordinatorNoise }),
  };
}

/** What taking part has cost, in a person's words. */
function privacyLine({ epsilon, localEpsilon, dpDelta, participations }: DevicePrivacy): string {
  if (participations === 0) return 'this device added to no sum';
  const times = counted(participations, 'sum');
  if (epsilon === null)
    return `this device added to ${times}, of which not every one had noise: no ε bounds them`;
  const own = localEpsilon === null ? '' : `; ${localEpsilon.toFixed(2)} by its own noise alone`;
  return `this device added to ${times}: ε = ${epsilon.toFixed(2)} at δ = ${dpDelta}, by its own count${own}`;
}

/** The token in a file: alone, or behind the client id that it is for. */
async function tokenOf(file: string): Promise<Uint8Array> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new CommandError(`${file} cannot be read: ${(cause as Error).message}`, undefined, { cause });
  }
  const token = /^(?:[0-9a-f]{32} )?([0-9a-f]{192})\s*$/.exec(text)?.[1];
  if (token === undefined)
    throw new CommandError(
      `${file} holds no token; tutti authority issue --client-id ID > ${file} writes one`,
    );
  return fromHex(token);
}

async function recordRatings(client: Client, path: string, person: number): Promise<void> {
  const data = await loadDataset(path).catch(wrongFile);
  if (person >= data.users)
    throw new CommandError(`--person ${person}: ${path} has ${data.users} people, numbered from 0`);
  const { offsets, values } = data.train;
  const items = [...values.subarray(offsets[person], offsets[person + 1])];
  for (const heldOut of [data.validation, data.test]) {
    const item = heldOut?.positives[person] ?? -1;
    if (item >= 0 && !items.includes(item)) items.push(item);
  }
  await client.record(
    items.map((item, order) => ({ item: data.catalogue.ids[item] as string, kind: 'rating', at: order })),
  );
}

/** Says so where what a person did is with items that the task does not have: a device then learns nothing from it. */
function tellStrangers(client: Client, history: readonly Interaction[], tell: (line: string) => void): void {
  const strangers = history.filter(({ item }) => !client.knows(item));
  if (strangers.length === 0) return;
  const share = strangers.length === history.length ? 'none' : `${history.length - strangers.length}`;
  tell(
    `of ${counted(history.length, 'interaction')} ${share} can be learned from: the task's catalogue lacks the other items, ` +
      `such as ${strangers[0]?.item ?? ''}; are these the ids that the coordinator was given?`,
  );
}

async function takePart(
  client: Client,
  flags: ClientFlags,
  signal: AbortSignal,
  tell: (line: string) => void,
): Promise<number> {
  let committed = 0;
  client.on('connected', () => tell(`connected to ${flags.coordinator}`));
  client.on('disconnected', ({ reason }) => tell(`no connection (${reason}); trying again`));
  client.on('refused', ({ reason, problem }) => tell(`the coordinator refused: ${reason} (${problem})`));
  client.on('declined', ({ reason }) => tell(`did not take part: ${reason}`));
  client.on('round', ({ round, outcome, survivors, reason }) => {
    tell(
      outcome === 'committed'
        ? `round ${round ?? 0}: this device added to a sum over ${survivors ?? 0} clients`
        : `an attempt ended: ${reason ?? outcome}`,
    );
    if (outcome === 'committed' && ++committed === flags.rounds) void client.stop();
  });
  await client.participate({ signal });
  if (flags.rounds !== undefined && committed < flags.rounds) signal.throwIfAborted();
  return committed;
}
