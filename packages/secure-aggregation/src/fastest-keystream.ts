import { addChaCha20 } from './chacha20.ts';
import {
  keystreamGenerator,
  openedKeystream,
  wasmKeystream,
  type KeystreamGenerator,
  type MaskStream,
} from './keystream.ts';

/** The stream in plain TypeScript, expanded and added in one pass; it runs everywhere. */
export const typescriptKeystream = keystreamGenerator('typescript', (target, streams) => {
  // Arithmetic is so much slower than memory here that blocks would gain nothing.
  for (const { seed, sign } of streams) addChaCha20(target, seed, sign);
});

/** Every generator that runs here, of those that need nothing of Node. */
export function portableKeystreams(): [KeystreamGenerator, ...KeystreamGenerator[]] {
  const wasm = wasmKeystream();
  // The likely faster one first: where the clock is too coarse to tell them apart, it wins.
  return wasm === undefined ? [typescriptKeystream] : [wasm, typescriptKeystream];
}

/** A trial is a small client's work: so many streams over so many words. Its first, uncounted time warms up. */
const TRIAL_WORDS = 24_576;
const TRIAL_STREAMS = 8;
const TRIALS = 4;

/** The fastest of `generators` on this machine, now: some milliseconds. @param now milliseconds. */
export function fastestKeystream(
  generators: readonly [KeystreamGenerator, ...KeystreamGenerator[]],
  now: () => number = () => performance.now(),
): KeystreamGenerator {
  const target = new Uint32Array(TRIAL_WORDS);
  const streams = Array.from({ length: TRIAL_STREAMS }, (): MaskStream => ({
    seed: new Uint8Array(32),
    sign: 1,
  }));
  const timed = generators.map((generator) => {
    generator.addAll(target, streams);
    let least = Number.POSITIVE_INFINITY;
    for (let trial = 0; trial < TRIALS; trial++) {
      const start = now();
      generator.addAll(target, streams);
      least = Math.min(least, now() - start);
    }
    return { generator, least };
  });
  return timed.reduce((best, one) => (one.least < best.least ? one : best)).generator;
}

/** The same stream by the fastest of what `candidates` offers, chosen by measurement when it is first asked for. */
export const measuredKeystream = (
  candidates: () => readonly [KeystreamGenerator, ...KeystreamGenerator[]],
): ReturnType<typeof openedKeystream> => openedKeystream(() => fastestKeystream(candidates()));
