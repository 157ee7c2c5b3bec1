import { DecodeError, wipe } from '@tutti/base';

/** Words between processes: little-endian, four bytes each. */

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The bytes of `words`; in the same memory where the machine is little-endian. */
export function bytesOfWords(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  if (isLittleEndian) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  words.forEach((word, i) => view.setUint32(4 * i, word, true));
  return bytes;
}

/** `length` words; the bytes are wiped. @throws {DecodeError} */
export function wordsOf(bytes: Uint8Array | undefined, length: number): Uint32Array {
  if (bytes?.length !== 4 * length)
    throw new DecodeError('words', `have ${bytes?.length ?? 0} bytes; ${4 * length} are expected`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = Uint32Array.from({ length }, (_, i) => view.getUint32(4 * i, true));
  wipe(bytes);
  return words;
}
