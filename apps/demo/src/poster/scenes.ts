import {
  birds,
  disc,
  gradient,
  ground,
  HEIGHT,
  hills,
  n,
  path,
  peak,
  rect,
  stars,
  WIDTH,
  type Chance,
} from './brush.ts';
import { NARROW, SANS, SERIF, type Lettering } from './lettering.ts';
import { motifOf } from './motifs.ts';
import { DUSKS, HEARTS, JOURNEYS, NIGHTS, PLAYS, SPACES } from './palettes.ts';

/** A film's scene, and how its title is set on it. */
export interface Scene {
  /** What is drawn, in its order. */
  readonly drawing: string;
  readonly title: Lettering;
  readonly credit: { readonly y: number; readonly colour: string; readonly align: 'left' | 'middle' };
}

/** Draws a scene. @param id what names inside the drawing begin with. */
type Painter = (chance: Chance, title: string, id: string) => Scene;

/** The title's motif on a ground line, or nothing. */
function standing(title: string, x: number, y: number, scale: number, dark: string, light: string): string {
  const motif = motifOf(title);
  return motif === undefined
    ? ''
    : `<g transform="translate(${n(x)} ${n(y)}) scale(${n(scale)})">${motif(dark, light)}</g>`;
}

/** Layered land at dusk: also what a genre that nobody thought of looks like. */
export const drama: Painter = (chance, title, id) => {
  const { sky, land, sun, ink } = chance.oneOf(DUSKS);
  const horizon = chance.between(176, 206);
  const at = chance.between(60, 180);
  return {
    drawing:
      gradient(`${id}s`, sky) +
      ground(`url(#${id}s)`) +
      disc(at, horizon - chance.between(18, 84), chance.between(22, 40), sun, 'opacity=".92"') +
      birds(chance, chance.whole(4), 96, land[2]) +
      hills(chance, horizon, 14, land[0], 'opacity=".85"') +
      hills(chance, horizon + 34, 16, land[1]) +
      standing(title, 240 - at, horizon + 66, 0.82, land[2], sun) +
      hills(chance, horizon + 74, 9, land[2]),
    title: {
      font: SERIF,
      colour: ink,
      size: 34,
      from: 'foot',
      y: 320,
      tallest: 76,
      align: 'middle',
      longest: 13,
    },
    credit: { y: 342, colour: ink, align: 'middle' },
  };
};

/** Plain shapes in a grid, as of paper cut by hand. */
const comedy: Painter = (chance, title) => {
  const [paper, first, second, ink, pale] = chance.oneOf(PLAYS);
  const cell = 60;
  const colours = [first, second, pale, ink];
  const cells = Array.from({ length: 12 }, (_, at) => {
    const [x, y] = [(at % 4) * cell, 180 + Math.floor(at / 4) * cell];
    return `<g transform="translate(${x} ${y})">${tile(chance, cell, chance.oneOf(colours), chance.oneOf(colours))}</g>`;
  });
  const motif = motifOf(title);
  const face =
    motif === undefined
      ? disc(120, 240, 58, first) +
        disc(101, 232, 7, ink) +
        disc(139, 232, 7, ink) +
        `<path d="M92 252Q120 ${n(chance.between(270, 294))} 148 252" fill="none" stroke="${ink}" stroke-width="6" stroke-linecap="round"/>`
      : disc(120, 240, 66, pale) + standing(title, 120, 284, 0.84, ink, first);
  return {
    drawing: ground(paper) + cells.join('') + face,
    title: {
      font: SANS,
      colour: ink,
      size: 42,
      from: 'top',
      y: 26,
      tallest: 128,
      align: 'left',
      weight: 800,
      longest: 11,
      breadth: 1.07,
    },
    credit: { y: 168, colour: ink, align: 'left' },
  };
};

function tile(chance: Chance, size: number, back: string, front: string): string {
  const half = size / 2;
  const shapes = [
    disc(half, half, half * 0.72, front),
    path(`M0 ${size}A${size} ${size} 0 0 1 ${size} 0V${size}Z`, front),
    path(`M0 0H${size}A${half} ${half} 0 0 1 0 0Z`, front) +
      path(`M0 ${half}H${size}A${half} ${half} 0 0 1 0 ${half}Z`, front),
    path(`M0 0L${size} ${size}H0Z`, front),
    [8, 24, 40].map((y) => rect(0, y, size, 8, front)).join(''),
  ];
  return rect(0, 0, size, size, back) + chance.oneOf(shapes);
}

/** A town at night, one window lit. */
const mystery: Painter = (chance, title, id) => {
  const { sky, far, near, lamp, moon } = chance.oneOf(NIGHTS);
  const [x, y] = [chance.between(54, 186), chance.between(128, 158)];
  const bright = chance.whole(6);
  return {
    drawing:
      gradient(`${id}s`, sky) +
      ground(`url(#${id}s)`) +
      stars(chance, 40, 170, moon) +
      disc(x, y, 36, moon) +
      disc(
        x + chance.between(-16, 16),
        y - 6,
        33,
        sky[1],
        chance.happens(0.5) ? 'opacity=".88"' : 'opacity="0"',
      ) +
      roofs(chance, 254, far, far, -1) +
      [212, 232, 258]
        .map(
          (fog, at) =>
            `<ellipse cx="${n(chance.between(40, 200))}" cy="${fog}" rx="150" ry="${9 + at * 3}" fill="${sky[2]}" opacity=".26"/>`,
        )
        .join('') +
      standing(title, x > 120 ? 70 : 170, 282, 0.9, near, lamp) +
      roofs(chance, 296, near, lamp, bright) +
      rect(0, 330, WIDTH, 30, near),
    title: {
      font: SERIF,
      colour: moon,
      size: 25,
      from: 'top',
      y: 30,
      tallest: 60,
      align: 'middle',
      upper: true,
      spacing: 0.12,
      longest: 11,
      breadth: 1.04,
    },
    credit: { y: 346, colour: moon, align: 'middle' },
  };
};

/** Houses side by side; in the one of number `bright` somebody is awake. */
function roofs(chance: Chance, y: number, fill: string, lamp: string, bright: number): string {
  let drawing = '';
  for (let x = -8, at = 0; x < WIDTH; at++) {
    const width = chance.between(32, 54);
    const height = chance.between(14, 58);
    const top = y - height;
    drawing += rect(x, top, width + 1, HEIGHT - top, fill);
    drawing += chance.happens(0.5)
      ? path(`M${n(x - 3)} ${n(top)}L${n(x + width / 2)} ${n(top - 18)}L${n(x + width + 3)} ${n(top)}Z`, fill)
      : rect(x + width * 0.6, top - 12, 7, 14, fill);
    if (at === bright)
      drawing +=
        rect(x + width / 2 - 6, top + 12, 12, 16, lamp) +
        disc(x + width / 2, top + 20, 26, lamp, 'opacity=".2"');
    x += width;
  }
  return drawing;
}

/** Mountains, and a way to them. */
const adventure: Painter = (chance, title, id) => {
  const { sky, dark, lit, land, sun, ink } = chance.oneOf(JOURNEYS);
  const top = chance.between(86, 154);
  const way = chance.between(90, 150);
  return {
    drawing:
      gradient(`${id}s`, sky) +
      ground(`url(#${id}s)`) +
      disc(240 - top, 168, chance.between(30, 46), sun) +
      birds(chance, 2 + chance.whole(3), 150, ink) +
      peak(top - 76, 270, 130, chance.between(60, 84), dark, lit) +
      peak(top + 82, 272, 150, chance.between(66, 96), dark, lit) +
      peak(top, 278, 176, chance.between(118, 140), dark, lit) +
      hills(chance, 266, 8, land[0]) +
      path(
        `M${n(way)} 270C${n(way - 34)} 290 ${n(way + 52)} 300 ${n(way - 10)} 330C${n(way - 34)} 344 ${n(way - 20)} 352 ${n(way - 30)} 360H${n(way + 34)}C${n(way + 30)} 340 ${n(way + 80)} 306 ${n(way + 6)} 270Z`,
        sky[1],
        'opacity=".9"',
      ) +
      standing(title, way > 120 ? 60 : 184, 320, 0.74, land[1], sun) +
      hills(chance, 336, 8, land[1], 'opacity=".96"'),
    title: {
      font: NARROW,
      colour: ink,
      size: 41,
      from: 'top',
      y: 24,
      tallest: 100,
      align: 'middle',
      upper: true,
      weight: 700,
      spacing: 0.02,
      longest: 11,
      breadth: 0.86,
    },
    credit: { y: 353, colour: sky[2], align: 'middle' },
  };
};

/** Two lights over the sea, and where they meet. */
const romance: Painter = (chance, title, id) => {
  const { sky, one, other, sea, ink } = chance.oneOf(HEARTS);
  const radius = chance.between(48, 60);
  const apart = radius * chance.between(0.5, 0.72);
  const y = chance.between(112, 136);
  const glints = Array.from({ length: 6 }, (_, at) => {
    const width = chance.between(30, 110) * (1 - at / 9);
    return rect(
      120 + chance.between(-24, 24) - width / 2,
      236 + at * 9,
      width,
      2.4,
      at % 2 === 0 ? one : other,
      'opacity=".55" rx="1.2"',
    );
  });
  return {
    drawing:
      gradient(`${id}s`, sky) +
      gradient(`${id}w`, [sea, sea, '#1d1230']) +
      ground(`url(#${id}s)`) +
      disc(120 - apart, y, radius, one, 'opacity=".9"') +
      disc(120 + apart, y, radius, other, 'style="mix-blend-mode:multiply"') +
      (chance.happens(0.5) ? hills(chance, 216, 8, sea, 'opacity=".45"') : '') +
      rect(0, 226, WIDTH, HEIGHT - 226, `url(#${id}w)`) +
      glints.join('') +
      standing(title, chance.between(86, 154), 236, 0.72, sea, ink),
    title: {
      font: SERIF,
      colour: ink,
      size: 36,
      from: 'foot',
      y: 318,
      tallest: 76,
      align: 'middle',
      italic: true,
      longest: 13,
      breadth: 0.98,
    },
    credit: { y: 341, colour: ink, align: 'middle' },
  };
};

/** A planet above a plain of lines. */
const scienceFiction: Painter = (chance, title, id) => {
  const { sky, planet, ring, grid, ink } = chance.oneOf(SPACES);
  const [x, y, radius] = [chance.between(84, 156), chance.between(104, 128), chance.between(44, 60)];
  const tilt = chance.between(-28, 28);
  const ringed = chance.happens(0.7);
  const halfRing = (sweep: 0 | 1): string =>
    `<path d="M${n(x - radius * 1.65)} ${n(y)}A${n(radius * 1.65)} ${n(radius * 0.42)} 0 0 ${sweep} ${n(x + radius * 1.65)} ${n(y)}" fill="none" stroke="${ring}" stroke-width="5" opacity=".9" transform="rotate(${n(tilt)} ${n(x)} ${n(y)})"/>`;
  const across = Array.from({ length: 8 }, (_, at) =>
    rect(0, 226 + at * at * 2.4, WIDTH, 1, grid, `opacity="${n(0.25 + at * 0.09)}"`),
  );
  const along = Array.from(
    { length: 15 },
    (_, at) =>
      `<path d="M${n(120 + (at - 7) * 9)} 226L${n(120 + (at - 7) * 62)} 360" stroke="${grid}" stroke-width=".9" opacity=".5"/>`,
  );
  return {
    drawing:
      gradient(`${id}s`, sky) +
      gradient(`${id}p`, planet) +
      ground(`url(#${id}s)`) +
      stars(chance, 70, 224, ink) +
      (ringed ? halfRing(1) : '') +
      disc(x, y, radius, `url(#${id}p)`) +
      path(
        `M${n(x - radius)} ${n(y)}A${n(radius)} ${n(radius)} 0 0 0 ${n(x + radius)} ${n(y)}A${n(radius)} ${n(radius * 0.55)} 0 0 1 ${n(x - radius)} ${n(y)}Z`,
        sky[0],
        'opacity=".28"',
      ) +
      (ringed ? halfRing(0) : disc(x + radius * 1.5, y - radius * 0.7, radius * 0.22, ring)) +
      rect(0, 226, WIDTH, HEIGHT - 226, sky[0], 'opacity=".72"') +
      across.join('') +
      along.join('') +
      standing(title, x > 120 ? 66 : 176, 236, 0.62, sky[0], ring),
    title: {
      font: SANS,
      colour: ink,
      size: 27,
      from: 'foot',
      y: 322,
      tallest: 86,
      align: 'middle',
      upper: true,
      spacing: 0.16,
      weight: 600,
      longest: 11,
      breadth: 0.98,
    },
    credit: { y: 344, colour: grid, align: 'middle' },
  };
};

/** How each genre is painted. */
export const PAINTERS: Readonly<Record<string, Painter>> = {
  Drama: drama,
  Comedy: comedy,
  Mystery: mystery,
  Adventure: adventure,
  Romance: romance,
  'Science Fiction': scienceFiction,
};
