/** Largest file that is read, in bytes, after unpacking: the 25 million ratings of MovieLens 25M take 680 MB. */
export const MAX_FILE_BYTES = 1_073_741_824;

/** Largest line, in bytes. A row of 999 candidates takes 8 KB. */
export const MAX_LINE_BYTES = 65_536;

/** Most people in one set: a whole number from a file must not decide how much memory is taken. */
export const MAX_USERS = 2_000_000;

/** Most items in one set. */
export const MAX_ITEMS = 1_000_000;

/** Most interactions in one set. */
export const MAX_INTERACTIONS = 50_000_000;

/** Longest id or title, in characters. */
export const MAX_TEXT = 1_000;
