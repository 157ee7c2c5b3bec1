import { excerpt } from './errors.ts';
import { LineReader, type NamedBytes } from './line-reader.ts';
import { MAX_USERS } from './limits.ts';

/** Where nothing is known of a person's attribute. */
export const UNKNOWN_ATTRIBUTE = 255;

/** How the files write a gender, and the number that stands for it. */
const GENDERS: Readonly<Record<string, number>> = { M: 0, F: 1 };

/**
 * `X.users.tsv`: columns between tabs under a header that names `userId` (numbered from 0) and `gender` (`M` or `F`); others are left out.
 *
 * @param users people of the data set; {@link UNKNOWN_ATTRIBUTE} stands for whoever has no line.
 * @throws {DatasetFormatError} naming line and field: a missing column, a user that is not in the set or stands there twice, another
 *   gender.
 */
export function parseUsersTsv(source: NamedBytes, users: number): { readonly gender: Uint8Array } {
  const reader = new LineReader(source);
  const columns = columnsOf(reader);
  const gender = new Uint8Array(users).fill(UNKNOWN_ATTRIBUTE);
  const seen = new Set<number>();
  while (reader.nextLine()) {
    let [user, code] = [0, UNKNOWN_ATTRIBUTE];
    for (const column of columns) {
      if (column === 'userId') user = reader.wholeNumber('userId', MAX_USERS - 1);
      else if (column === 'gender') code = genderOf(reader);
      else reader.text(column);
    }
    if (user >= users) throw reader.problem('userId', `is ${user}; the set has ${users} people`);
    if (seen.has(user)) throw reader.problem('userId', 'has a line already; one a person is allowed');
    seen.add(user);
    gender[user] = code;
  }
  return { gender };
}

function columnsOf(reader: LineReader): string[] {
  const columns: string[] = [];
  if (reader.nextLine()) while (reader.hasField()) columns.push(reader.text('header'));
  const missing = ['userId', 'gender'].find((name) => !columns.includes(name));
  if (missing !== undefined) throw reader.problem('header', `names no column ${missing}`);
  return columns;
}

function genderOf(reader: LineReader): number {
  const text = reader.text('gender');
  const code = Object.hasOwn(GENDERS, text) ? GENDERS[text] : undefined;
  if (code === undefined) throw reader.problem('gender', `is ${excerpt(text)}; M or F is needed`);
  return code;
}
