import { existsSync, readFileSync } from 'node:fs';
import type { Pattern } from '../memory/scan.ts';

/** Masked inputs in every form in which they might stand somewhere. */

/** Enough for a masked input of two frames. */
export const SCAN_FILMS = Array.from({ length: 3_000 }, (_, film) => `film-${film}`);

/** Places of a masked input that are looked for, and words of each. */
export const WINDOWS = 4;
export const WINDOW_WORDS = 12;
/** Bytes of a pattern: some more than chance can make. */
const PATTERN_BYTES = 32;
/** Words of a pattern that has eight bytes for each. */
const WIDE_WORDS = 6;

/** A part of a masked input: its words of 32 bits from one of them on. */
export interface Window {
  readonly from: number;
  readonly words: Uint32Array;
}

const startsIn = (length: number): number[] =>
  Array.from({ length: WINDOWS }, (_, window) => window * Math.floor(length / WINDOWS) + 5);

const INPUT_BYTES = 4 * (1 + WINDOWS * WINDOW_WORDS);

/** What a host tells of an input: its length, and its windows with all bits turned over. */
export function turnedWindows(input: Uint32Array): Uint8Array {
  const windows = startsIn(input.length).flatMap((from) => [...input.slice(from, from + WINDOW_WORDS)]);
  return bytesOf(Uint32Array.of(input.length, ...windows.map((word) => ~word)));
}

/** The windows of each input that a host told in its file. */
export function toldIn(file: string): Window[][] {
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file);
  return Array.from({ length: Math.floor(bytes.length / INPUT_BYTES) }, (_, input) => {
    const at = input * INPUT_BYTES;
    return startsIn(bytes.readUInt32LE(at)).map((from, window) => ({
      from,
      words: Uint32Array.from(
        { length: WINDOW_WORDS },
        (_, i) => ~bytes.readUInt32LE(at + 4 * (1 + window * WINDOW_WORDS + i)),
      ),
    }));
  });
}

const low = (word: number): number => word & 0xffffff;

/** Each window of each input in each form. @param label says whose. */
export const inputPatterns = (label: string, inputs: readonly (readonly Window[])[]): Pattern[] =>
  inputs.flatMap((windows) =>
    windows.flatMap((window) =>
      formsOf(window).map(([form, bytes]) => ({ label: `${label} (${form})`, bytes })),
    ),
  );

/** As the device has it, as it travels and is kept until it is added, unpacked; as JavaScript may hold its numbers; and all of it as text. */
function formsOf({ from, words }: Window): [form: string, bytes: Uint8Array][] {
  const unpacked = words.map(low);
  const packed = bytesOf(words).filter((_, i) => i % 4 < 3);
  const decimal = (numbers: ArrayLike<number>): string[] => {
    const some = Array.from(numbers).slice(1, 1 + WIDE_WORDS);
    const named = some.map((number, i) => `"${from + 1 + i}":${number}`);
    return [some.join(), some.join(', '), named.join()];
  };
  const texts = [packed, bytesOf(unpacked), bytesOf(words)].flatMap((bytes) => textsOf(Buffer.from(bytes)));
  return [
    ['words', bytesOf(words).slice(0, PATTERN_BYTES)],
    ['unpacked', bytesOf(unpacked).slice(0, PATTERN_BYTES)],
    ['packed', packed.slice(0, PATTERN_BYTES)],
    // Those of whole numbers begin with zeros, which are everywhere.
    ['doubles', bytesOf(Float64Array.from(unpacked.slice(0, WIDE_WORDS))).slice(3)],
    // V8 keeps whole numbers in the upper halves of words of eight bytes.
    [
      'numbers',
      bytesOf(
        Uint32Array.from({ length: 2 * WIDE_WORDS - 1 }, (_, i) =>
          i % 2 === 0 ? (unpacked[i / 2] ?? 0) : 0,
        ),
      ),
    ],
    ...[...decimal(words), ...decimal(unpacked), packed.slice(0, PATTERN_BYTES).join()].map(
      (text): [string, Uint8Array] => ['decimal', latin(text)],
    ),
    ...texts,
  ];
}

/** Hexadecimal, and base64 of both kinds, wherever a group of three bytes begins. */
function textsOf(bytes: Buffer): [form: string, bytes: Uint8Array][] {
  const base64 = [0, 1, 2].flatMap((from) =>
    (['base64', 'base64url'] as const).map((kind): [string, Uint8Array] => [
      kind,
      latin(bytes.subarray(from, from + 30).toString(kind)),
    ]),
  );
  return [['hex', latin(bytes.subarray(0, PATTERN_BYTES).toString('hex'))], ...base64];
}

/** The sum of inputs, as whoever adds them up in words of 32 bits has it. */
export function sumPatterns(label: string, inputs: readonly (readonly Window[])[]): Pattern[] {
  return Array.from({ length: WINDOWS }, (_, window) => {
    const sum = new Uint32Array(WINDOW_WORDS);
    for (const input of inputs)
      input[window]?.words.forEach((word, i) => (sum[i] = (sum[i] ?? 0) + low(word)));
    return { label, bytes: bytesOf(sum).slice(0, PATTERN_BYTES) };
  });
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array | Float64Array): Uint8Array =>
  new Uint8Array(buffer.slice(byteOffset, byteOffset + byteLength));

const latin = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
