import { n, WIDTH } from './brush.ts';

/** How a title is set. */
export interface Lettering {
  readonly font: string;
  readonly colour: string;
  /** Largest size of a letter. */
  readonly size: number;
  /** Where the block stands: its first line's top, or its last line's foot. */
  readonly from: 'top' | 'foot';
  readonly y: number;
  readonly align: 'left' | 'middle';
  readonly upper?: boolean;
  /** Space between letters, in letter sizes. */
  readonly spacing?: number;
  readonly weight?: number;
  readonly italic?: boolean;
  /** How wide a letter of this font is against a usual one. */
  readonly breadth?: number;
  /** How tall the block may be: what else stands on the poster begins there. */
  readonly tallest: number;
  /** Letters that a line may have. */
  readonly longest?: number;
}

export const SERIF = "Georgia,'Iowan Old Style','DejaVu Serif',serif";
export const SANS = "'Avenir Next','Segoe UI','Helvetica Neue',Arial,sans-serif";
export const NARROW =
  "'Arial Narrow','Liberation Sans Narrow','Roboto Condensed','Helvetica Neue',sans-serif";

const MARGIN = 20;
const LEADING = 1.06;

/** The title, broken and sized so that it fits. */
export function lettered(title: string, style: Lettering): string {
  const {
    upper = false,
    align,
    colour,
    font,
    weight = 400,
    italic = false,
    spacing = 0,
    longest = 12,
  } = style;
  const lines = broken(upper ? title.toUpperCase() : title, longest);
  const widths = lines.map((text) => breadthOf(text) * (style.breadth ?? 1) + spacing * (text.length - 1));
  const room = WIDTH - 2 * MARGIN;
  const sizes = (lines.length - 1) * LEADING + 1;
  const size = Math.min(style.size, room / Math.max(...widths), style.tallest / sizes);
  const height = (sizes - 1) * size;
  const first = style.from === 'top' ? style.y + size * 0.78 : style.y - height;
  const x = align === 'left' ? MARGIN : WIDTH / 2;
  const set = `font-family="${font}" font-size="${n(size)}" font-weight="${weight}" fill="${colour}"${italic ? ' font-style="italic"' : ''}${align === 'left' ? '' : ' text-anchor="middle"'}`;
  // The length is said, so that a line is as long in every font that a device may have.
  const rows = lines.map(
    (text, at) =>
      `<text x="${n(x)}" y="${n(first + at * size * LEADING)}" textLength="${n((widths[at] as number) * size)}" lengthAdjust="spacingAndGlyphs"${spacing > 0 ? ` letter-spacing="${n(spacing * size)}"` : ''}>${escaped(text)}</text>`,
  );
  return `<g ${set}>${rows.join('')}</g>`;
}

/** A small line, as under the title of a poster. */
export function credit(text: string, y: number, colour: string, align: 'left' | 'middle'): string {
  const x = align === 'left' ? MARGIN : WIDTH / 2;
  return `<text x="${x}" y="${n(y)}" font-family="${SANS}" font-size="8" font-weight="600" letter-spacing="1.2" fill="${colour}"${align === 'left' ? '' : ' text-anchor="middle"'}>${escaped(text.toUpperCase())}</text>`;
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** Words in as few lines as can be, none much longer than `longest` letters and short words with what follows them. */
function broken(title: string, longest: number): string[] {
  const words = title.split(' ');
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && `${last} ${word}`.length <= longest)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Breadth of a text over its size, roughly. */
function breadthOf(text: string): number {
  let sum = 0;
  for (const letter of text) sum += breadthOfLetter(letter);
  return sum;
}

function breadthOfLetter(letter: string): number {
  if (/[iljtfrI.,'’ ]/.test(letter)) return 0.33;
  if (/[mwMW]/.test(letter)) return 0.86;
  return /[A-Z]/.test(letter) ? 0.68 : 0.54;
}
