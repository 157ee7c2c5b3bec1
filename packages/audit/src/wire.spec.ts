import { seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { ROUNDS_EACH, wireSideChannels, type WireProbe } from './wire.ts';

/** A probe that shows what it is told to, with a machine's jitter on the times. */
function probe(told: {
  rawMs: (many: boolean, round: number) => number;
  delayedMs: (many: boolean, round: number) => number;
  sizes?: (many: boolean) => number[];
}): WireProbe {
  const random = seededRandom('jitter');
  return {
    few: 3,
    many: 300,
    answerEveryMs: 250,
    observe: async (delayed, order) =>
      order.map((many, round) => ({
        many,
        sizes: told.sizes?.(many) ?? [416, 1_000],
        answerMs: (delayed ? told.delayedMs : told.rawMs)(many, round) + 3 * random.float(),
      })),
  };
}

const verdicts = async (told: Parameters<typeof probe>[0], seed = 'wire'): Promise<string[]> =>
  (await wireSideChannels(probe(told), seededRandom(seed))).map(({ verdict }) => verdict);

describe('side channels on the wire', () => {
  it('are exposed where answers leave at once, and defended where all leave in one class of time', async () => {
    const told = { rawMs: (many: boolean) => (many ? 40 : 4), delayedMs: () => 250 };
    expect(await verdicts(told)).toEqual(['defended', 'exposed', 'defended']);
  });

  it('are found where the classes of time tell people apart, or a size does', async () => {
    const slow = {
      rawMs: (many: boolean) => (many ? 400 : 4),
      delayedMs: (many: boolean) => (many ? 500 : 250),
    };
    expect(await verdicts(slow)).toEqual(['defended', 'exposed', 'broken']);
    const sized = {
      rawMs: (many: boolean) => (many ? 40 : 4),
      delayedMs: () => 250,
      sizes: (many: boolean) => [416, many ? 1_001 : 1_000],
    };
    expect(await verdicts(sized)).toEqual(['broken', 'exposed', 'defended']);
  });

  it('are found where nine in ten of one kind are late, and one in ten of the other', async () => {
    // 29 of 32 against 3: an area of 0.91; 64 rounds would have to hide 6 of them to stay below the bound.
    let seen = 0;
    const leaky = {
      rawMs: (many: boolean) => (many ? 40 : 4),
      delayedMs: (many: boolean) => (many === seen++ % 10 > 0 ? 500 : 250),
    };
    expect(await verdicts(leaky)).toEqual(['defended', 'exposed', 'broken']);
  });

  it('say that the attack is blunt where even raw times tell nothing', async () => {
    expect(await verdicts({ rawMs: () => 20, delayedMs: () => 250 })).toEqual([
      'defended',
      'blunt',
      'defended',
    ]);
  });

  it('do not mistake a busy machine for a person: 20 probes on machines that grow slower or stall (false alarms below 2e-5 in all)', async () => {
    let broken = 0;
    for (let trial = 0; trial < 20; trial++) {
      const random = seededRandom(`busy ${trial}`);
      const stalls = random.int(2 * ROUNDS_EACH);
      const delayedMs = (_: boolean, round: number): number =>
        round < stalls ? 250 : random.float() < 0.5 ? 500 : 1_000;
      const rawMs = (many: boolean): number => (many ? 40 : 4);
      const [, , classes] = await verdicts({ rawMs, delayedMs }, `busy ${trial}`);
      if (classes === 'broken') broken++;
    }
    expect(broken).toBe(0);
  });
});
