/** The version of the wire protocol that this build speaks. A change of any message's form raises it. */
export const PROTOCOL_VERSION = 2;

/** Bytes of a masked vector in one frame. socket.io drops a connection above 1 MB, so a vector travels in pieces. */
export const FRAME_BYTES = 262_144;

/** Most bytes of one encoded message: a frame and its header fit, nothing larger is read. */
export const MAX_MESSAGE_BYTES = FRAME_BYTES + 8_192;

/** Most bytes of a message's JSON header. */
export const MAX_HEADER_BYTES = 4_096;

/** Longest masked vector, in 32-bit words: 16,384 item rows of 128 numbers, with room for a network above them. */
export const MAX_VECTOR_WORDS = 4_194_304;

/** Largest catalogue: model and row numbers are made for no more. */
export const MAX_ITEMS = 1_048_576;

/** Most bytes of a slice: the words of a vector, its head, a Gram matrix of 512 × 512 and a header. */
export const MAX_SLICE_BYTES = 4 * (MAX_VECTOR_WORDS + MAX_ITEMS + 512 * 512) + 65_544;

/** Largest group of clients that masks a sum together. */
export const MAX_GROUP = 1_024;

/** Key bundles in one page of a roster: a page fits a message, and two pages fit the largest group. */
export const ROSTER_PAGE_MEMBERS = 700;

/** Longest time that a message may ask the other side to wait, in milliseconds. */
export const MAX_WAIT_MS = 86_400_000;
