import { toHex, utf8, fromHex, type RandomWords } from '@tutti/base';
import { addGaussianNoise, noiseSequence, type NoiseSequence } from '@tutti/privacy';
import type { RoundDescription } from '@tutti/protocol';
import type { CryptoSuite } from '@tutti/secure-aggregation';
import { layoutOf } from './lanes.ts';
import type { TaskHistory } from './history.ts';
import type { NoiseDraw } from './journal.ts';
import { deltaSensitivity } from './noise-plan.ts';
import type { Store } from './ports.ts';

/** Noise that the coordinator adds to an unmasked sum. */
export interface AddedNoise {
  /** One more vector to add to the groups' sums: a word for each lane. */
  readonly lanes: Int32Array;
  /** What makes the round's draw again, for the journal; undefined where the noise is not correlated. */
  readonly draw: NoiseDraw | undefined;
}

type Central = Extract<RoundDescription['noise'], { mechanism: 'gaussian' | 'tree' | 'banded' }>;
type Correlated = Exclude<Central, { mechanism: 'gaussian' }>;

const SECRET_WORDS = 8;

/**
 * The noise of a coordinator that is trusted to add it.
 *
 * Correlated noise has a state: every round's draw, which later rounds take back. It is not kept but made again, from a secret in the
 * store and a salt of each round in the journal. The salt is drawn anew whenever a sum is made: a coordinator that is killed before the
 * journal holds the round, or set back to an older journal, never puts one draw on two different sums.
 */
export class CentralNoise {
  #secret: Uint8Array | undefined;
  #sequence:
    | { readonly shape: string; readonly salts: Map<number, string>; readonly noise: NoiseSequence }
    | undefined;

  /** @param words cryptographic; a simulation passes a seeded stream. */
  constructor(
    private readonly task: string,
    private readonly ports: {
      readonly store: Store;
      readonly crypto: CryptoSuite;
      readonly words: RandomWords;
    },
  ) {}

  /** The noise of an attempt's sum; undefined where the coordinator adds none. */
  async of(description: RoundDescription, history: TaskHistory): Promise<AddedNoise | undefined> {
    const { noise, purpose } = description;
    if (noise.mechanism === 'none' || noise.mechanism === 'skellam') return undefined;
    const layout = layoutOf(description);
    const { words } = this.ports;
    const lanes = new Uint32Array(layout.length);
    const { clip, metrics } = layout.offsets;
    addGaussianNoise(
      lanes,
      clip,
      metrics,
      ((noise.clipMultiplier * description.scale.weight) / 2) ** 2,
      words,
    );
    addGaussianNoise(
      lanes,
      metrics,
      layout.length,
      (noise.metricMultiplier * description.scale.metric) ** 2,
      words,
    );
    const signed = new Int32Array(lanes.buffer);
    if (purpose === 'evaluate' || noise.mechanism === 'gaussian') {
      addGaussianNoise(lanes, 0, layout.deltaLength, drawVariance(description, noise), words);
      return { lanes: signed, draw: undefined };
    }
    const salt = toHex(this.#randomBytes());
    signed.set(await this.#increment(description, noise, history, salt), 0);
    return { lanes: signed, draw: { salt, variance: drawVariance(description, noise) } };
  }

  async #increment(
    description: RoundDescription,
    noise: Correlated,
    history: TaskHistory,
    salt: string,
  ): Promise<Int32Array> {
    const { round } = description;
    const salts = this.#saltsOf(history);
    salts.set(round, salt);
    const secret = (this.#secret ??= await this.#storedSecret());
    const variance = drawVariance(description, noise);
    const shape = JSON.stringify([noise, variance, description.lanes.delta]);
    // Rounds that the journal does not hold may have been tried with another salt: nothing of them is remembered.
    if (this.#sequence?.shape !== shape || !isPrefix(this.#sequence.salts, salts, round)) {
      const known = new Map(salts);
      const draw = (at: number): Int32Array =>
        this.#draw(secret, known.get(at) ?? '', description.lanes.delta, variance);
      this.#sequence = { shape, salts: known, noise: noiseSequence(noise, draw) };
    }
    this.#sequence.salts.set(round, salt);
    return this.#sequence.noise.incrementOf(round);
  }

  #saltsOf({ noiseDraws }: TaskHistory): Map<number, string> {
    return new Map(
      noiseDraws.flatMap((draw, index) => (draw === undefined ? [] : [[index + 1, draw.salt] as const])),
    );
  }

  /** One round's draw, the same whenever it is made. */
  #draw(secret: Uint8Array, salt: string, length: number, variance: number): Int32Array {
    const { crypto } = this.ports;
    const lanes = new Uint32Array(length);
    const key = crypto.digest('noise', secret, utf8(this.task), fromHex(salt, 'noiseSalt', 32));
    addGaussianNoise(lanes, 0, length, variance, keyedWords(crypto, key));
    return new Int32Array(lanes.buffer);
  }

  async #storedSecret(): Promise<Uint8Array> {
    const name = `noise-secret/${this.task}`;
    const stored = await this.ports.store.get(name);
    if (stored !== undefined) return stored;
    const made = this.#randomBytes();
    await this.ports.store.put(name, made);
    return made;
  }

  #randomBytes(): Uint8Array {
    const { words } = this.ports;
    return new Uint8Array(Uint32Array.from({ length: SECRET_WORDS }, () => words.uint32()).buffer);
  }
}

/** Whether `known` holds the salts of every round before `round`, as the journal has them. */
function isPrefix(
  known: ReadonlyMap<number, string>,
  salts: ReadonlyMap<number, string>,
  round: number,
): boolean {
  for (let at = 1; at < round; at++) if (known.get(at) !== salts.get(at)) return false;
  return !known.has(round);
}

/** σ² of a draw in ring units: z·D2', and k₀ times as wide for a banded matrix, whose draws stand for k₀ times themselves. */
export function drawVariance({ clippingNorm, scale, lanes }: RoundDescription, noise: Central): number {
  if (lanes.delta === 0) return 0;
  const width = noise.mechanism === 'banded' ? (noise.coefficients[0] ?? 1) : 1;
  return (
    (width * noise.multiplier * deltaSensitivity(clippingNorm, scale, { deltaLength: lanes.delta })) ** 2
  );
}

const BLOCK_WORDS = 16_384;

/** Cryptographic words that a 32-byte key determines: ChaCha20 streams of keys that are derived block by block. */
function keyedWords(crypto: CryptoSuite, key: Uint8Array): RandomWords {
  const block = new Uint32Array(BLOCK_WORDS);
  let at = BLOCK_WORDS;
  let blocks = 0;
  return {
    uint32() {
      if (at === BLOCK_WORDS) {
        block.fill(0);
        crypto.addKeystream(block, crypto.digest('noise block', key, u32(blocks++)), 1);
        at = 0;
      }
      return block[at++] as number;
    },
  };
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
