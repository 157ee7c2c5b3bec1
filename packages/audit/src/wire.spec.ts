import { seededRandom } from '@tutti/base';
import { describe, expect, it } from 'vitest';
import { wireSideChannels, type WireObservation, type WireProbe } from './wire.ts';

const CLIENTS = 16;
const ROUNDS = 3;

/** A probe that shows what it is told to, with a machine's jitter on the times. */
function probe(told: {
  rawMs: (many: boolean) => number;
  delayedMs: (many: boolean) => number;
  sizes?: (many: boolean) => number[];
}): WireProbe {
  const random = seededRandom('jitter');
  const observe = (ms: (many: boolean) => number): WireObservation[] =>
    Array.from({ length: CLIENTS * ROUNDS }, (_, i) => {
      const many = i % 2 === 1;
      const jitter = 3 * random.float();
      return {
        client: i % CLIENTS,
        many,
        sizes: told.sizes?.(many) ?? [416, 1_000],
        answerMs: ms(many) + jitter,
      };
    });
  return {
    few: 3,
    many: 300,
    answerEveryMs: 250,
    observe: async (delayed) => observe(delayed ? told.delayedMs : told.rawMs),
  };
}

const verdicts = async (told: Parameters<typeof probe>[0]): Promise<string[]> =>
  (await wireSideChannels(probe(told), seededRandom('wire'))).map(({ verdict }) => verdict);

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

  it('say that the attack is blunt where even raw times tell nothing', async () => {
    expect(await verdicts({ rawMs: () => 20, delayedMs: () => 250 })).toEqual([
      'defended',
      'blunt',
      'defended',
    ]);
  });

  it('hold chance to its rate: of 10 probes without an effect none passes (a chance of 0.01 that one does; the seeds are fixed)', async () => {
    let passed = 0;
    for (let trial = 0; trial < 10; trial++) {
      const random = seededRandom(`null ${trial}`);
      const null_ = { rawMs: () => 0, delayedMs: () => (random.float() < 0.5 ? 250 : 500) };
      const [, , classes] = await wireSideChannels(probe(null_), random);
      if (classes?.verdict === 'broken') passed++;
    }
    expect(passed).toBe(0);
  });
});
