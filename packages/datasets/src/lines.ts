import { DecodeError } from '@tutti/base';

/** A line of a file that is not what it must be: file, line, field, and both sides of the comparison. */
export class LineError extends DecodeError {
  override readonly name = 'LineError';
  override readonly code = 'datasets/bad-line';
  constructor(
    readonly file: string,
    readonly line: number,
    column: string,
    problem: string,
  ) {
    super(`${file}:${line}: ${column}`, problem);
  }
}

/** Largest person or item number in a file of dense numbers: bounds the memory that a file can ask for. */
export const LARGEST_INDEX = 16_777_215;

/** The lines of a file, numbered from 1, without empty ones. */
export function* linesOf(text: string): Generator<readonly [line: string, number: number]> {
  let start = 0;
  for (let number = 1; start < text.length; number++) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    const line = text.charCodeAt(end - 1) === 13 ? text.slice(start, end - 1) : text.slice(start, end);
    start = end + 1;
    if (line !== '') yield [line, number];
  }
}

/** A dense number (an index) in a field. @throws {LineError} */
export function indexField(text: string | undefined, file: string, line: number, column: string): number {
  const value = text === undefined || text === '' ? Number.NaN : Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= LARGEST_INDEX) return value;
  throw new LineError(file, line, column, `${JSON.stringify(text ?? '')} is not a whole number from 0 to ${LARGEST_INDEX}`);
}

/** A finite number in a field. @throws {LineError} */
export function numberField(text: string | undefined, file: string, line: number, column: string): number {
  const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new LineError(file, line, column, `${JSON.stringify(text ?? '')} is not a number`);
}

/** A name (1 to 200 characters) in a field. @throws {LineError} */
export function nameField(text: string | undefined, file: string, line: number, column: string): string {
  const name = text?.trim() ?? '';
  if (name.length >= 1 && name.length <= 200) return name;
  throw new LineError(file, line, column, `has ${name.length} characters; 1 to 200 are allowed`);
}
