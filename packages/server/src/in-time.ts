import { NoWordError } from './errors.ts';

/** What `work` comes to. Whoever asked does not wait longer; the work may go on. @throws {NoWordError} after `ms`. */
export async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  let tooLate: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_resolve, reject) => {
    tooLate = setTimeout(() => reject(new NoWordError(ms)), ms);
  });
  return Promise.race([work, silence]).finally(() => clearTimeout(tooLate));
}
