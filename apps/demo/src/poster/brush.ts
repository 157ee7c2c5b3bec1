import type { SeededRandom } from '@tutti/base';

/** Size of a poster in its own units. */
export const WIDTH = 240;
export const HEIGHT = 360;

/** Draws that decide how a poster looks: the same ones for the same film, always. */
export interface Chance {
  /** A number from `least` to `most`. */
  between(least: number, most: number): number;
  /** A whole number from 0, below `bound`. */
  whole(bound: number): number;
  oneOf<T>(list: readonly T[]): T;
  /** Whether something happens that does so with chance `part`. */
  happens(part: number): boolean;
}

/** Draws from a seeded stream. */
export function chanceOf(random: SeededRandom): Chance {
  return {
    between: (least, most) => least + (most - least) * random.float(),
    whole: (bound) => random.int(bound),
    oneOf: <T>(list: readonly T[]): T => list[random.int(list.length)] as T,
    happens: (part) => random.float() < part,
  };
}

/** A number as it stands in a drawing: a tenth is finer than anybody sees. */
export const n = (value: number): string => String(Math.round(value * 10) / 10);

export const rect = (x: number, y: number, width: number, height: number, fill: string, more = ''): string =>
  `<rect x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" fill="${fill}" ${more}/>`;

export const disc = (x: number, y: number, radius: number, fill: string, more = ''): string =>
  `<circle cx="${n(x)}" cy="${n(y)}" r="${n(radius)}" fill="${fill}" ${more}/>`;

export const path = (d: string, fill: string, more = ''): string => `<path d="${d}" fill="${fill}" ${more}/>`;

/** A gradient from above to below, and what is drawn with it. */
export function gradient(id: string, stops: readonly string[]): string {
  const last = stops.length - 1;
  const marks = stops.map((colour, at) => `<stop offset="${n((100 * at) / last)}%" stop-color="${colour}"/>`);
  return `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1">${marks.join('')}</linearGradient>`;
}

/** The whole poster's ground. */
export const ground = (fill: string): string => rect(0, 0, WIDTH, HEIGHT, fill);

/** Rounded land from one side to the other, down to the bottom. */
export function hills(chance: Chance, y: number, swing: number, fill: string, more = ''): string {
  const steps = 3 + chance.whole(3);
  const points = Array.from({ length: steps + 1 }, (_, at) => ({
    x: (WIDTH * at) / steps,
    y: y + chance.between(-swing, swing),
  }));
  let d = `M0 ${HEIGHT}V${n(points[0]?.y ?? y)}`;
  for (let at = 1; at < points.length; at++) {
    const [from, to] = [points[at - 1], points[at]] as [{ x: number; y: number }, { x: number; y: number }];
    const middle = (from.x + to.x) / 2;
    d += `C${n(middle)} ${n(from.y)} ${n(middle)} ${n(to.y)} ${n(to.x)} ${n(to.y)}`;
  }
  return path(`${d}V${HEIGHT}Z`, fill, more);
}

/** A mountain with a lit side. @param lean where its top is between the feet, 0 to 1. */
export function peak(x: number, y: number, width: number, height: number, dark: string, lit: string): string {
  const top = `${n(x)} ${n(y - height)}`;
  const [left, right] = [x - width / 2, x + width / 2];
  const snow = height * 0.3;
  const shoulder = (width / 2) * 0.3;
  return (
    path(`M${n(left)} ${n(y)}L${top}L${n(right)} ${n(y)}Z`, dark) +
    path(
      `M${n(left)} ${n(y)}L${top}L${n(x - width * 0.06)} ${n(y - height * 0.55)}L${n(x + width * 0.04)} ${n(y - height * 0.3)}L${n(x - width * 0.08)} ${n(y)}Z`,
      lit,
    ) +
    path(
      `M${n(x - shoulder)} ${n(y - height + snow)}L${top}L${n(x + shoulder)} ${n(y - height + snow)}L${n(x + shoulder * 0.4)} ${n(y - height + snow * 0.78)}L${n(x)} ${n(y - height + snow * 1.2)}L${n(x - shoulder * 0.45)} ${n(y - height + snow * 0.8)}Z`,
      '#fff',
      'opacity=".85"',
    )
  );
}

/** Stars above `y`. */
export function stars(chance: Chance, count: number, y: number, fill: string): string {
  return Array.from({ length: count }, () =>
    disc(
      chance.between(6, WIDTH - 6),
      chance.between(6, y),
      chance.between(0.4, 1.5),
      fill,
      `opacity="${n(chance.between(0.3, 1))}"`,
    ),
  ).join('');
}

/** Birds, far away. */
export function birds(chance: Chance, count: number, y: number, colour: string): string {
  return Array.from({ length: count }, () => {
    const [x, at, size] = [chance.between(50, 200), y + chance.between(-22, 22), chance.between(4, 9)];
    return `<path d="M${n(x - size)} ${n(at - size * 0.4)}Q${n(x - size * 0.4)} ${n(at - size * 0.7)} ${n(x)} ${n(at)}Q${n(x + size * 0.4)} ${n(at - size * 0.7)} ${n(x + size)} ${n(at - size * 0.4)}" fill="none" stroke="${colour}" stroke-width="1.4" stroke-linecap="round"/>`;
  }).join('');
}
