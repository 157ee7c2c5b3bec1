import {
  phaseDigest,
  roundDigest,
  type CoordinatorMessage,
  type CoordinatorMessageOf,
} from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { describe, expect, it } from 'vitest';
import {
  change,
  committed,
  COORDINATOR_KEY,
  expectClose,
  meanDelta,
  openStory,
  taskConfig,
  type StoryClient,
} from './federation.ts';

/** What a device makes of every message of the coordinator in every phase: one that is not due changes nothing, whatever it holds. */

type Asking = Exclude<CoordinatorMessage['type'], 'challenge' | 'describe' | 'outcome'>;

const BODIES: Record<Asking, Record<string, unknown>> = {
  roster: { page: 0, pages: 1, bundles: new Uint8Array(500).fill(7) },
  nonces: { nonces: new Uint8Array(32).fill(7) },
  'relay-shares': { shares: new Uint8Array(100).fill(7) },
  survivors: { survivors: Uint8Array.of(255) },
  'survivor-signatures': { signatures: new Uint8Array(64).fill(7) },
};

const ASKING = Object.keys(BODIES) as Asking[];

/** A message of this type with nothing right in it, under the coordinator's own signature or none. */
function junk(client: StoryClient, type: Asking, isSigned: boolean): CoordinatorMessage {
  const { description } = client.heard.find(
    (message): message is CoordinatorMessageOf<'describe'> => message.type === 'describe',
  ) as CoordinatorMessageOf<'describe'>;
  const body = BODIES[type];
  const pages = type === 'roster' ? [Uint8Array.of(0, 1)] : [];
  const bytes = Object.values(body).filter((value): value is Uint8Array => value instanceof Uint8Array);
  const digest = roundDigest(description, nodeCrypto);
  const signed = phaseDigest(type, digest, [new Uint8Array(2), ...pages, ...bytes], nodeCrypto);
  const signature = isSigned ? nodeCrypto.sign(signed, COORDINATOR_KEY.secretKey) : new Uint8Array(64);
  return { type, attempt: description.attempt, group: 0, ...body, signature } as CoordinatorMessage;
}

const complete = { cohort: { planned: 8, smallest: 4, largestGroup: 16, overselection: 1 } };
const sparse = {
  cohort: { planned: 20, smallest: 10, largestGroup: 128, overselection: 1 },
  graph: { corruptPermille: 50, dropoutPermille: 50, largestComplete: 16 },
};

/** For each setting, the messages in the order in which they are due; the last answered one is answered again, with the same. */
const SETTINGS = [
  ['semi-honest, complete graph', taskConfig(complete), ['roster', 'relay-shares', 'survivors']],
  [
    'active, complete graph',
    taskConfig({ ...complete, mode: 'active' }),
    ['roster', 'relay-shares', 'survivors', 'survivor-signatures'],
  ],
  ['semi-honest, sparse graph', taskConfig(sparse), ['roster', 'nonces', 'relay-shares', 'survivors']],
  [
    'active, sparse graph',
    taskConfig({ ...sparse, mode: 'active' }),
    ['roster', 'nonces', 'relay-shares', 'survivors', 'survivor-signatures'],
  ],
] as const;

describe.each(SETTINGS)('a device, %s', (_, config, due) => {
  it.each(due.map((awaited, at) => [awaited, due[at - 1]] as const))(
    'that waits for %s takes nothing else, and ends the round as if nothing had been',
    async (awaited, answered) => {
      const story = await openStory({ count: config.cohort.planned, config });
      const [client] = story.clients as [StoryClient];
      client.silentFrom = awaited;
      await story.gather();
      await story.settle();
      const said = client.sent.at(-1);
      for (const type of ASKING.filter((type) => type !== awaited)) {
        const answers = await client.device.handle(junk(client, type, true));
        expect([type, answers.length]).toEqual([type, type === answered ? 1 : 0]);
        expect(answers.every((answer) => answer.type !== 'decline')).toBe(true);
      }
      expect(client.sent.at(-1)).toBe(said);
      delete client.silentFrom;
      story.coordination.connected('films', client.id);
      const record = committed(await story.untilEnd());
      expect(record).toMatchObject({ reported: config.cohort.planned, dropped: [], declined: {} });
      expectClose(await change(story, record), meanDelta(story.clients));
    },
  );

  it.each(due)('leaves, by name, when %s is not signed by its coordinator', async (awaited) => {
    const story = await openStory({ count: config.cohort.planned, config });
    const [client] = story.clients as [StoryClient];
    client.silentFrom = awaited;
    await story.gather();
    await story.settle();
    expect(await client.device.handle(junk(client, awaited, false))).toEqual([
      { type: 'decline', attempt: 1, reason: 'bad-signature' },
    ]);
    expect(await client.device.handle(junk(client, awaited, true))).toEqual([]);
  });
});
