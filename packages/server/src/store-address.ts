import { UsageError } from '@tutti/base';

/** Where a coordinator keeps everything, as its configuration says. */
export type StoreAddress =
  { readonly kind: 'lmdb'; readonly folder: string } | { readonly kind: 'postgres'; readonly url: string };

const EXPECTED = 'lmdb:FOLDER or postgres://USER@HOST:5432/DATABASE is expected';

/** @throws {UsageError} for anything else; the text is not repeated, for a password may be in it. */
export function storeAddress(text: string): StoreAddress {
  if (!isPortRight(text)) throw new UsageError(PORT_EXPECTED);
  if (/^postgres(ql)?:\/\/./.test(text)) return { kind: 'postgres', url: text };
  if (/^lmdb:./.test(text)) return { kind: 'lmdb', folder: text.slice('lmdb:'.length) };
  throw new UsageError(EXPECTED);
}

/** Whether `text` is an address of a store, for the schema. */
export const isStoreAddress = (text: string): boolean => /^(postgres(ql)?:\/\/|lmdb:)./.test(text);

/** What the schema says of another one. */
export const STORE_EXPECTED = EXPECTED;

/** Whether the port of an address is one, where it names one. */
export function isPortRight(address: string): boolean {
  const [, port] = /^[a-z]+:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/.exec(address) ?? [];
  return port === undefined || (Number(port) >= 1 && Number(port) <= 65_535);
}

/** What is said where it is none. */
export const PORT_EXPECTED = 'the port of its address is from 1 to 65535';
