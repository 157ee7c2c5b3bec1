import { concatBytes, DecodeError, utf8 } from '@tutti/base';

/** What one process says to another: JSON, and bytes beside it. */
export interface Packet {
  readonly head: unknown;
  readonly parts: readonly Uint8Array[];
}

/** Bytes that a packet may have at most: the largest vector, and its head. */
export const MOST_PACKET_BYTES = 2 ** 28;

/** Parts that a packet may have at most. */
const MOST_PARTS = 65_536;

/** u32 head bytes · head (UTF-8 JSON) · for each part: u32 length, bytes. Little-endian. */
export function pack({ head, parts }: Packet): Uint8Array {
  const json = utf8(JSON.stringify(head));
  const framed = parts.flatMap((part) => [u32(part.length), part]);
  return concatBytes(u32(json.length), json, ...framed);
}

const u32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
};

/** The packet that `bytes` hold; its parts are views of them. @throws {DecodeError} */
export function unpack(bytes: Uint8Array): Packet {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at + 4 > bytes.length) throw new DecodeError('packet', 'ends within a length');
    const end = at + 4 + view.getUint32(at, true);
    if (end > bytes.length) throw new DecodeError('packet', `has ${bytes.length} bytes; ${end} are expected`);
    if (pieces.length > MOST_PARTS) throw new DecodeError('packet', `has more than ${MOST_PARTS} parts`);
    pieces.push(bytes.subarray(at + 4, end));
    at = end;
  }
  const [json, ...parts] = pieces;
  if (json === undefined) throw new DecodeError('packet', 'is empty');
  try {
    return { head: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json)), parts };
  } catch (cause) {
    throw new DecodeError('packet.head', 'is not JSON', { cause });
  }
}
