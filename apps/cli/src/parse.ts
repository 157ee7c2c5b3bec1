import { WORD_BITS, type WordBits } from '@tutti/secure-aggregation';
import { isTrackerAddress, TRACKER_EXPECTED } from '@tutti/trackers';
import { InvalidArgumentError } from 'commander';

/** Parsers of option values: what is wrong is refused at once, with what is allowed. */

/** A number as people write it: 8, 0.5, 1e-5; not 0x8, and not nothing. NaN for what is none. */
const decimal = (text: string): number =>
  /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN;

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = decimal(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`A whole number from ${least} to ${most} is expected.`);
  };
}

/** A number from `least` to `most`. */
export function realNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = decimal(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`A number from ${least} to ${most} is expected.`);
  };
}

/** Comma-separated whole numbers, such as `32,16`. */
export function wholeNumbers(least: number, most: number): (text: string) => number[] {
  return (text) => text.split(',').map(wholeNumber(least, most));
}

/** A number of clients: whole, or a part of the population such as `10%`. */
export function cohortSize(text: string): { count: number } | { share: number } {
  if (text.endsWith('%')) return { share: realNumber(0.0001, 100)(text.slice(0, -1)) / 100 };
  return { count: wholeNumber(1)(text) };
}

/** Bits of a word of a masked vector on the wire. */
export function wordBits(text: string): WordBits | 'auto' {
  const found = WORD_BITS.find((bits) => String(bits) === text);
  if (found === undefined && text !== 'auto')
    throw new InvalidArgumentError(`${WORD_BITS.join(', ')} or auto is expected.`);
  return found ?? 'auto';
}

/** Rows of a public slice: `auto`, `off`, or how many. */
export function sliceRows(text: string): number | 'auto' | 'off' {
  if (text === 'auto' || text === 'off') return text;
  return wholeNumber(1, 1_048_576)(text);
}

/** An http or https address without a trailing slash. */
export function httpUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InvalidArgumentError('An address such as http://localhost:4170 is expected.');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new InvalidArgumentError('An http or https address is expected.');
  return url.href.replace(/\/+$/, '');
}

/** Addresses of trackers, one each time the option is given. */
export function trackerAddress(text: string, before: readonly string[] = []): readonly string[] {
  if (!isTrackerAddress(text)) throw new InvalidArgumentError(`${TRACKER_EXPECTED}.`);
  return [...before, text];
}

/** An Ed25519 public key. */
export function publicKey(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('64 lower-case hexadecimal digits are expected.');
}

/** One more client id, behind those before. */
export function clientIds(text: string, before: readonly string[]): string[] {
  if (/^[0-9a-f]{32}$/.test(text)) return [...before, text];
  throw new InvalidArgumentError('32 lower-case hexadecimal digits are expected.');
}

/** Threads here, or the Redis through which workers are reached. */
export function threadsOrRedis(text: string): number | string {
  return /^rediss?:\/\/./.test(text) ? text : wholeNumber(1, 256)(text);
}

/** `redis://…` or `rediss://…`. */
export function redisAddress(text: string): string {
  if (/^rediss?:\/\/./.test(text)) return text;
  throw new InvalidArgumentError('redis://[user:password@]host:6379[/n] is expected.');
}
