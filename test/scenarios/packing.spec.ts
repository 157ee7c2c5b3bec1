import { seededRandom } from '@tutti/base';
import type { RoundRecord } from '@tutti/coordination';
import { decodeClientMessage } from '@tutti/protocol';
import { WORD_BITS, type WordBits } from '@tutti/secure-aggregation';
import { describe, expect, it } from 'vitest';
import { openStory, taskConfig, type Silence, type Story } from './federation.ts';

/** Rounds whose words travel as three bytes: the same integers as with four, with and without masks. */

const config = (wordBits: WordBits | 'auto', protection: 'plain' | 'secure') =>
  taskConfig({ wordBits, protection, noise: { multiplier: 0.1, metricMultiplier: 0 } });

async function round(
  wordBits: WordBits | 'auto',
  protection: 'plain' | 'secure',
  silent: ReadonlyMap<number, Silence>,
): Promise<{ story: Story; record: RoundRecord }> {
  const story = await openStory({ count: 8, config: config(wordBits, protection) });
  for (const [client, silence] of silent)
    Object.assign(story.clients[client] as object, { silentFrom: silence });
  await story.gather();
  const event = await story.untilEnd();
  if (event.type !== 'committed') throw new Error(`ended as ${event.type}`);
  return { story, record: event.record };
}

/** Bytes of masked words that each client sent, and what the description said of them. */
const uploads = ({ clients }: Story) =>
  clients.map(({ sent, heard }) => ({
    bytes: sent
      .map((bytes) => decodeClientMessage(bytes))
      .reduce((sum, message) => sum + (message.type === 'masked-input' ? message.bytes.length : 0), 0),
    description: heard.flatMap((message) => (message.type === 'describe' ? [message.description] : []))[0],
  }));

describe('words of 24 bits', () => {
  it.each([1, 2, 3])(
    'commit the checkpoint that 32 bits commit, masked and plain, whatever drops out (dropouts %d)',
    async (seed) => {
      const random = seededRandom('packing').fork(seed);
      // Two at random fall silent before their input is whole; what else happens is the same in all four rounds.
      const silent = new Map<number, Silence>(
        [random.int(4), 4 + random.int(4)].map((client) => [client, 'relay-shares']),
      );
      const hashes = new Set<string>();
      for (const wordBits of WORD_BITS)
        for (const protection of ['plain', 'secure'] as const) {
          const { record } = await round(wordBits, protection, silent);
          expect(record.reported).toBe(6);
          hashes.add(record.modelHash);
        }
      expect(hashes.size).toBe(1);
    },
    60_000,
  );

  it('are what a round with noise takes by itself, and a quarter less to send', async () => {
    const { story } = await round('auto', 'secure', new Map());
    for (const { bytes, description } of uploads(story)) {
      expect(description).toMatchObject({ wordBits: 24 });
      expect(bytes).toBe(3 * (description?.lanes.length ?? 0));
    }
  });

  it('are not what a round without noise takes by itself', async () => {
    const story = await openStory({ count: 8, config: taskConfig() });
    await story.gather();
    await story.untilEnd();
    for (const { bytes, description } of uploads(story)) {
      expect(description).toMatchObject({ wordBits: 32 });
      expect(bytes).toBe(4 * (description?.lanes.length ?? 0));
    }
  });
});
