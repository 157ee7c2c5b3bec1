import { DecodeError, UsageError } from '@tutti/base';

/** Where in a file something is. */
export interface Place {
  /** The file's name. */
  readonly file: string;
  /** Line, from 1; 0 where the file as a whole is meant. */
  readonly line: number;
  /** The column or part, such as `item`. */
  readonly field: string;
}

/** A data file does not have the form it must have. The message names file, line and field, and both sides of the limit. */
export class DatasetFormatError extends DecodeError {
  override readonly name = 'DatasetFormatError';
  override readonly code = 'datasets/format';
  readonly file: string;
  readonly line: number;
  constructor(place: Place, problem: string, options?: ErrorOptions) {
    super(place.field, problem, options);
    this.file = place.file;
    this.line = place.line;
    this.message = `${place.file}${place.line > 0 ? `, line ${place.line}` : ''}, ${place.field}: ${problem}`;
  }
}

/** There is no data set of a known kind at `path`. */
export class DatasetNotFoundError extends UsageError {
  override readonly name = 'DatasetNotFoundError';
  override readonly code = 'datasets/not-found';
  constructor(
    readonly path: string,
    /** What was looked for, one kind an entry; nothing where the path itself is not there. */
    readonly lookedFor: readonly string[],
    /** The names of the files that are there, the first few. */
    readonly found: readonly string[],
    options?: ErrorOptions,
  ) {
    super(
      lookedFor.length === 0
        ? `${path}: there is no file or folder of this name`
        : `${path}: no data set found. Looked for\n${lookedFor.map((kind) => `  - ${kind}\n`).join('')}` +
            `Found: ${found.length === 0 ? 'nothing' : found.join(', ')}`,
      options,
    );
  }
}

/** The text of a field in an error: short, on one line. */
export function excerpt(text: string): string {
  return JSON.stringify(text.length > 24 ? `${text.slice(0, 24)}…` : text);
}
