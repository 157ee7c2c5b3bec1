import { UsageError } from '@tutti/base';

/** Where a coordinator keeps everything, as its configuration says. */
export type StoreAddress =
  { readonly kind: 'lmdb'; readonly folder: string } | { readonly kind: 'postgres'; readonly url: string };

const EXPECTED = 'lmdb:FOLDER or postgres://USER@HOST:5432/DATABASE is expected';

/** @throws {UsageError} for anything else; the text is not repeated, for a password may be in it. */
export function storeAddress(text: string): StoreAddress {
  if (/^postgres(ql)?:\/\/./.test(text)) return { kind: 'postgres', url: text };
  if (/^lmdb:./.test(text)) return { kind: 'lmdb', folder: text.slice('lmdb:'.length) };
  throw new UsageError(EXPECTED);
}

/** Whether `text` is an address of a store, for the schema. */
export const isStoreAddress = (text: string): boolean => /^(postgres(ql)?:\/\/|lmdb:)./.test(text);

/** What the schema says of another one. */
export const STORE_EXPECTED = EXPECTED;
