import { DecodeError } from '@tutti/base';

/**
 * Decoders of JSON from outside: each takes one value and the path that names it, and gives back what it checked, or throws. They are
 * functions and nothing more, so that a page carries only those that it uses, and no content policy minds them.
 *
 * @throws {DecodeError} with the path of the first part that failed.
 */
export type Decoder<T> = (value: unknown, path: string) => T;

/** A field that may be left out. */
export interface OptionalDecoder<T> {
  (value: unknown, path: string): T | undefined;
  readonly optional: true;
}

/** What a decoder gives. */
export type Decoded<D> = D extends (value: unknown, path: string) => infer T ? T : never;

type Shape = Readonly<Record<string, Decoder<unknown>>>;
type Left<S extends Shape> = {
  [K in keyof S]: S[K] extends OptionalDecoder<unknown> ? K : never;
}[keyof S];
type Flat<T> = { [K in keyof T]: T[K] };
/** An object of a shape. */
export type ObjectOf<S extends Shape> = Flat<
  { [K in Exclude<keyof S, Left<S>>]: Decoded<S[K]> } & { [K in Left<S>]?: Decoded<S[K]> }
>;

/** A peer chooses the names of unknown fields; what we repeat of them stays short enough for a `refused` reply. */
const LONGEST_NAME = 64;
const LONGEST_LIST = 240;

function refuse(path: string, value: unknown, problem: string): never {
  throw new DecodeError(path, value === undefined ? 'is missing' : problem);
}

function within(size: number, least: number, most: number, path: string, measured: string): void {
  if (size < least) throw new DecodeError(path, `${measured}; at least ${least} is expected`);
  if (size > most) throw new DecodeError(path, `${measured}; at most ${most} is expected`);
}

function finite(value: unknown, path: string): number {
  return typeof value === 'number' && Number.isFinite(value)
    ? value
    : refuse(path, value, 'must be of type number');
}

/** A finite number from `least` to `most`, both included. */
export const between =
  (least: number, most: number): Decoder<number> =>
  (value, path) => {
    const number = finite(value, path);
    within(number, least, most, path, `is ${number}`);
    return number;
  };

/** An integer from `least` to `most`, both included. */
export const integer =
  (least: number, most: number): Decoder<number> =>
  (value, path) => {
    const number = finite(value, path);
    if (!Number.isInteger(number)) throw new DecodeError(path, 'must be an integer');
    within(number, least, most, path, `is ${number}`);
    return number;
  };

/** A finite number above 0, up to `most`. */
export const positive =
  (most: number): Decoder<number> =>
  (value, path) => {
    const number = finite(value, path);
    if (number <= 0) throw new DecodeError(path, `is ${number}; more than 0 is expected`);
    within(number, 0, most, path, `is ${number}`);
    return number;
  };

export const boolean: Decoder<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : refuse(path, value, 'must be of type boolean');

const text: Decoder<string> = (value, path) =>
  typeof value === 'string' ? value : refuse(path, value, 'must be of type string');

/** A text of at most `most` characters. */
export const textUpTo =
  (most: number): Decoder<string> =>
  (value, path) => {
    const found = text(value, path);
    within(found.length, 0, most, path, `has ${found.length} characters`);
    return found;
  };

/** A text that has a form. @param problem what is said of one that has not. */
export const textLike =
  (form: RegExp, problem = 'does not have the form it must have'): Decoder<string> =>
  (value, path) => {
    const found = text(value, path);
    if (!form.test(found)) throw new DecodeError(path, problem);
    return found;
  };

/** One of a closed list. */
export const oneOf =
  <const T extends string | number>(values: readonly T[]): Decoder<T> =>
  (value, path) =>
    values.includes(value as T)
      ? (value as T)
      : refuse(path, value, `must be one of ${values.join(', ').slice(0, LONGEST_LIST)}`);

/** A list of `least` to `most` entries. */
export const listOf =
  <T>(entry: Decoder<T>, least: number, most: number): Decoder<T[]> =>
  (value, path) => {
    if (!Array.isArray(value)) return refuse(path, value, 'must be of type array');
    within(value.length, least, most, path, `has ${value.length} entries`);
    return value.map((one, index) => entry(one, `${path}.${index}`));
  };

/** A field that may be left out. */
export function optional<T>(decoder: Decoder<T>): OptionalDecoder<T> {
  const decode = (value: unknown, path: string): T | undefined =>
    value === undefined ? undefined : decoder(value, path);
  return Object.assign(decode, { optional: true as const });
}

/** An object, whatever is in it. */
export const record: Decoder<Record<string, unknown>> = (value, path) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : refuse(path, value, 'must be of type object');

/** An object of these fields and no other. */
export const object =
  <S extends Shape>(shape: S): Decoder<ObjectOf<S>> =>
  (value, path) => {
    const fields = record(value, path);
    const decoded: Record<string, unknown> = {};
    for (const [name, decoder] of Object.entries(shape)) {
      const found = decoder(fields[name], `${path}.${name}`);
      if (found !== undefined) decoded[name] = found;
    }
    for (const name of Object.keys(fields))
      if (!Object.hasOwn(shape, name))
        throw new DecodeError(`${path}.${name.slice(0, LONGEST_NAME)}`, 'is not a field of this message');
    return decoded as ObjectOf<S>;
  };

type Kinds<Tag extends string, V extends Readonly<Record<string, Shape>>> = {
  [Kind in keyof V]: Flat<{ [K in Tag]: Kind } & ObjectOf<V[Kind]>>;
}[keyof V];

/** An object of one of several kinds, which one field tells apart. @param kinds the other fields of each kind. */
export function oneKindOf<Tag extends string, const V extends Readonly<Record<string, Shape>>>(
  tag: Tag,
  kinds: V,
): Decoder<Kinds<Tag, V>> {
  const decoders = Object.entries(kinds).map(
    ([kind, shape]) => [kind, object({ [tag]: oneOf([kind]), ...shape })] as const,
  );
  const byKind = new Map<unknown, Decoder<unknown>>(decoders);
  return (value, path) => {
    const kind = record(value, path)[tag];
    const decoder = byKind.get(kind);
    if (decoder === undefined) return refuse(`${path}.${tag}`, kind, 'is none of the kinds that there are');
    return decoder(value, path) as Kinds<Tag, V>;
  };
}

/** What a decoder gives, if it also passes `test`. @param at the part that is named where it does not. */
export const refined =
  <T>(decoder: Decoder<T>, test: (value: T) => boolean, at = ''): Decoder<T> =>
  (value, path) => {
    const decoded = decoder(value, path);
    if (!test(decoded)) throw new DecodeError(path + at, 'is invalid');
    return decoded;
  };
