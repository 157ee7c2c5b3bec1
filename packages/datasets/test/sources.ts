import type { NamedBytes } from '../src/line-reader.ts';

/** A file that holds `text`, in UTF-8 or, where asked, in Latin-1. */
export function fileOf(text: string, file = 'made.up', encoding: 'utf8' | 'latin1' = 'utf8'): NamedBytes {
  return { file, bytes: new Uint8Array(Buffer.from(text, encoding)) };
}

/** Lines with their ends. */
export function lines(...all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
