import {
  concatBytes,
  DecodeError,
  parseJson,
  secretCopy,
  type Sendable,
  UsageError,
  utf8,
} from '@tutti/base';
import { MAX_HEADER_BYTES, MAX_MESSAGE_BYTES, PROTOCOL_VERSION } from './limits.ts';
import { CLIENT_MESSAGES, COORDINATOR_MESSAGES, REPLIES } from './messages.ts';
import type { ClientMessage, CoordinatorMessage, Message, Reply } from './messages.ts';
import type { Decoder } from './schema.ts';

/**
 * One message as bytes, little-endian:
 *
 *     u8 protocol version · u8 message code · u16 header bytes · header (UTF-8 JSON) · for each binary part: u32 length, bytes
 *
 * Parts stand in the order of the message's table. Control is JSON and validated on arrival; bulk is raw bytes.
 */
const FIXED_BYTES = 4;

interface Entry {
  readonly type: string;
  readonly code: number;
  readonly header: Decoder<unknown>;
  readonly parts: readonly (readonly [name: string, least: number, most: number])[];
}
type Table = Readonly<
  Record<
    string,
    { code: number; header: Entry['header']; parts: Readonly<Record<string, readonly [number, number]>> }
  >
>;

const entriesOf = (table: Table): Entry[] =>
  Object.entries(table).map(([type, { code, header, parts }]) => ({
    type,
    code,
    header,
    parts: Object.entries(parts).map(([name, [least, most]]) => [name, least, most] as const),
  }));

const CLIENT = entriesOf(CLIENT_MESSAGES);
const COORDINATOR = entriesOf(COORDINATOR_MESSAGES);
const REPLY = entriesOf(REPLIES);
const BY_TYPE = new Map([...CLIENT, ...COORDINATOR, ...REPLY].map((entry) => [entry.type, entry]));

/**
 * The bytes of `message`. What is `LocalOnly` does not type-check here.
 * @throws {UsageError} if a field or part is outside what the message's table allows: nothing malformed leaves.
 */
export function encodeMessage<M extends Message>(message: M & Sendable<M>): Uint8Array {
  const entry = BY_TYPE.get(message.type);
  if (entry === undefined) throw new UsageError(`there is no message type ${JSON.stringify(message.type)}`);
  const fields: Record<string, unknown> = { ...message };
  delete fields['type'];
  const parts: Uint8Array[] = [];
  for (const [name, least, most] of entry.parts) {
    const part = fields[name];
    delete fields[name];
    if (!(part instanceof Uint8Array) || part.length < least || part.length > most) {
      throw new UsageError(`${entry.type}.${name} must be ${least} to ${most} bytes`);
    }
    parts.push(part);
  }
  try {
    entry.header(fields, entry.type);
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
  return assemble(entry.code, utf8(JSON.stringify(fields)), parts);
}

function assemble(code: number, header: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  if (header.length > MAX_HEADER_BYTES)
    throw new UsageError(`the header has ${header.length} bytes; at most ${MAX_HEADER_BYTES} are allowed`);
  const prefix = Uint8Array.of(PROTOCOL_VERSION, code, header.length & 0xff, header.length >>> 8);
  const framed = parts.flatMap((part) => [u32(part.length), part]);
  return concatBytes(prefix, header, ...framed);
}

const u32 = (value: number): Uint8Array =>
  Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);

/** A client's message. @throws {DecodeError} naming the field and the limit. */
export function decodeClientMessage(bytes: unknown): ClientMessage {
  return decodeWith(CLIENT, bytes) as ClientMessage;
}

/**
 * The same, but the bytes of a masked input's frame stay where they are, in `bytes`, and are no copy: for whoever is done with both at the
 * same time. @throws {DecodeError} naming the field and the limit.
 */
export function viewClientMessage(bytes: unknown): ClientMessage {
  return decodeWith(CLIENT, bytes, { framesStay: true }) as ClientMessage;
}

/** A coordinator's message. @throws {DecodeError} naming the field and the limit. */
export function decodeCoordinatorMessage(bytes: unknown): CoordinatorMessage {
  return decodeWith(COORDINATOR, bytes) as CoordinatorMessage;
}

/** A coordinator's answer. @throws {DecodeError} naming the field and the limit. */
export function decodeReply(bytes: unknown): Reply {
  return decodeWith(REPLY, bytes) as Reply;
}

function decodeWith(
  table: readonly Entry[],
  input: unknown,
  { framesStay = false } = {},
): Record<string, unknown> {
  const bytes = bytesOf(input);
  if (bytes[0] !== PROTOCOL_VERSION)
    throw new DecodeError('protocol', `is ${bytes[0]}; this side speaks ${PROTOCOL_VERSION}`);
  const entry = table.find((candidate) => candidate.code === bytes[1]);
  if (entry === undefined) throw new DecodeError('code', `${bytes[1]} is no message that this side takes`);
  const headerBytes = (bytes[2] as number) | ((bytes[3] as number) << 8);
  if (headerBytes > MAX_HEADER_BYTES)
    throw new DecodeError('header', `has ${headerBytes} bytes; at most ${MAX_HEADER_BYTES} are allowed`);
  if (FIXED_BYTES + headerBytes > bytes.length)
    throw new DecodeError(
      'header',
      `has ${headerBytes} bytes, but only ${bytes.length - FIXED_BYTES} follow`,
    );
  const header = decodeHeader(entry, bytes.subarray(FIXED_BYTES, FIXED_BYTES + headerBytes));
  const stays = framesStay && entry.type === 'masked-input';
  const parts = decodeParts(entry, bytes, { start: FIXED_BYTES + headerBytes, stays });
  return { type: entry.type, ...header, ...parts };
}

/** Node hands attachments over at any offset of a shared buffer, and `slice` of one is no copy: what is kept below is copied. */
function bytesOf(input: unknown): Uint8Array {
  const bytes = input instanceof ArrayBuffer ? new Uint8Array(input) : input;
  if (!(bytes instanceof Uint8Array)) throw new DecodeError('message', 'is not binary');
  if (bytes.length < FIXED_BYTES)
    throw new DecodeError('message', `has ${bytes.length} bytes; at least ${FIXED_BYTES} are needed`);
  if (bytes.length > MAX_MESSAGE_BYTES)
    throw new DecodeError('message', `has ${bytes.length} bytes; at most ${MAX_MESSAGE_BYTES} are allowed`);
  return bytes;
}

function decodeHeader(entry: Entry, bytes: Uint8Array): Record<string, unknown> {
  return entry.header(parseJson(bytes, `${entry.type}.header`), entry.type) as Record<string, unknown>;
}

function decodeParts(
  entry: Entry,
  bytes: Uint8Array,
  { start, stays }: { readonly start: number; readonly stays: boolean },
): Record<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Record<string, Uint8Array> = {};
  let at = start;
  for (const [name, least, most] of entry.parts) {
    const field = `${entry.type}.${name}`;
    if (at + 4 > bytes.length) throw new DecodeError(field, 'is missing');
    const length = view.getUint32(at, true);
    at += 4;
    if (length < least || length > most)
      throw new DecodeError(field, `has ${length} bytes; ${least} to ${most} are allowed`);
    if (at + length > bytes.length)
      throw new DecodeError(field, `has ${length} bytes, but only ${bytes.length - at} follow`);
    const part = bytes.subarray(at, at + length);
    parts[name] = stays ? part : secretCopy(part);
    at += length;
  }
  if (at !== bytes.length)
    throw new DecodeError(`${entry.type}`, `${bytes.length - at} bytes follow the last part`);
  return parts;
}
