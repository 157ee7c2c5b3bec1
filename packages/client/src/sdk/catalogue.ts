import { DecodeError, parseJson } from '@tutti/base';

/** The app's own item ids, and what to show for them. */
export interface Catalogue {
  readonly ids: readonly string[];
  readonly titles: readonly string[] | undefined;
  /** Rows of items that the app no longer has: they are trained on, and recommended to nobody. */
  readonly retired: ReadonlySet<number>;
  indexOf(id: string): number | undefined;
}

/** A catalogue from a blob. @throws {DecodeError} naming the field. */
export function decodeCatalogue(bytes: Uint8Array, items: number): Catalogue {
  const value = parseJson(bytes, 'catalogue');
  const record = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const ids = texts(record['ids'], 'catalogue.ids');
  if (ids.length !== items)
    throw new DecodeError('catalogue.ids', `has ${ids.length} entries; the model has ${items} rows`);
  const titles = record['titles'] === undefined ? undefined : texts(record['titles'], 'catalogue.titles');
  const index = new Map(ids.map((id, position) => [id, position]));
  return { ids, titles, retired: rowsOf(record['retired'], items), indexOf: (id) => index.get(id) };
}

function texts(value: unknown, field: string): string[] {
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string'))
    throw new DecodeError(field, 'is not a list of texts');
  return value;
}

function rowsOf(value: unknown, items: number): ReadonlySet<number> {
  if (value === undefined) return new Set();
  if (!Array.isArray(value) || !value.every((row) => Number.isInteger(row) && row >= 0 && row < items))
    throw new DecodeError('catalogue.retired', `is not a list of rows below ${items}`);
  return new Set(value as number[]);
}
