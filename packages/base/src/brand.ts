declare const brand: unique symbol;
declare const localOnly: unique symbol;

/** A `T` that only the function which checked it may call by `Name`. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/**
 * A value that must stay on the device it was made on: a person's interactions, and the vector that describes
 * their taste. The protocol package has no codec for it, and a type test there proves that it cannot be encoded.
 */
export type LocalOnly<T> = T & { readonly [localOnly]: true };

/** Marks `value` as staying on this device. The same object, not a copy. */
export function keepLocal<T>(value: T): LocalOnly<T> {
  return value as LocalOnly<T>;
}

/** `T`, or `never` where any part of it is {@link LocalOnly}. */
export type Sendable<T> =
  T extends LocalOnly<unknown>
    ? never
    : T extends Uint8Array | Uint32Array | Float32Array | string | number | boolean | null | undefined
      ? T
      : T extends object
        ? { [K in keyof T]: Sendable<T[K]> }
        : T;

/** Ends a `switch` over a tagged union: a tag that is not handled does not compile. */
export function assertNever(value: never): never {
  throw new TypeError(`unhandled case: ${JSON.stringify(value)}`);
}
