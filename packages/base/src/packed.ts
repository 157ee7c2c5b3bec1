/**
 * Characters that a program's text can hold as they are: printable ASCII without quotes, `\` and `$`. The first two say that the next
 * one stands for a byte farther on.
 */
const ALPHABET = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 32 + i)).replace(
  /["$'\\`]/g,
  '',
);
const SHIFTS = 2;

/** How many bytes one character reaches, and the first of them: WebAssembly is full of small numbers and of SIMD's prefix. */
const REACH = ALPHABET.length - SHIFTS;
const FIRST = 0xfd;

/**
 * The text of `bytes` within a program: nearly a character a byte, so that gzip, which packs all programs, finds what repeats in them.
 * Of a kernel it leaves a fifth less than of hexadecimal, and less than of base64 of what was deflated before.
 */
export function packedText(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const place = (byte - FIRST) & 255;
    const shift = Math.floor(place / REACH);
    text += `${shift === 0 ? '' : ALPHABET[shift - 1]}${ALPHABET[SHIFTS + (place % REACH)]}`;
  }
  return text;
}

/** The bytes of {@link packedText}; it is part of the program, and trusted. */
export function fromPackedText(text: string): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  let shift = 0;
  for (const character of text) {
    const place = ALPHABET.indexOf(character);
    if (place < SHIFTS) shift = REACH * (place + 1);
    else {
      out.push(shift + place - SHIFTS + FIRST);
      shift = 0;
    }
  }
  return Uint8Array.from(out);
}
