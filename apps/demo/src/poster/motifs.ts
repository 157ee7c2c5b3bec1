import { disc, path, rect } from './brush.ts';

/** What a title speaks of, drawn on a ground line at (0, 0) and about 100 units high; `dark` is its body, `light` what shines. */
type Motif = (dark: string, light: string) => string;

const line = (d: string, colour: string, width: number): string =>
  `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round"/>`;

const lighthouse: Motif = (dark, light) =>
  path('M0-92L320-170V-14Z', light, 'opacity=".2"') +
  path('M0-92L-320-160V-24Z', light, 'opacity=".14"') +
  path('M-13 0L-8-78H8L13 0Z', dark) +
  path('M-11.5-22L-10-42H10L11.5-22ZM-9-58L-8-70H8L9-58Z', light, 'opacity=".75"') +
  rect(-12, -82, 24, 5, dark) +
  rect(-7, -98, 14, 17, light) +
  path('M-10-98L0-112L10-98Z', dark);

const boat: Motif = (dark, light) =>
  path('M-46-16H46L34 0H-34Z', dark) +
  path('M-3-22V-96L-42-22Z', light) +
  path('M3-22V-88L36-22Z', light, 'opacity=".75"') +
  rect(-1.5, -100, 3, 86, dark);

const lantern: Motif = (dark, light) =>
  disc(0, -52, 62, light, 'opacity=".16"') +
  disc(0, -52, 40, light, 'opacity=".22"') +
  line('M-13-84C-13-106 13-106 13-84', dark, 4) +
  path('M-20-84H20L14-74H-14Z', dark) +
  path('M-17-74H17L20-14H-20Z', light) +
  path('M0-64C12-48 10-34 0-28C-10-34-12-48 0-64Z', '#fff', 'opacity=".8"') +
  rect(-23, -14, 46, 6, dark) +
  line('M-17-74L-20-14M17-74L20-14M0-74V-14', dark, 2.5);

const comet: Motif = (_, light) =>
  path('M4-62L-150-150L-138-160Z', light, 'opacity=".35"') +
  path('M8-66L-110-142L-104-148Z', light, 'opacity=".6"') +
  disc(8, -60, 11, light) +
  disc(8, -60, 20, light, 'opacity=".3"');

const key: Motif = (dark, light) =>
  `<g transform="rotate(24 0 -50)">${line('M0-62V0M0-6H18M0-22H13', light, 8)}<circle cx="0" cy="-80" r="19" fill="none" stroke="${light}" stroke-width="8"/>${disc(0, -80, 6, dark)}</g>`;

const clock: Motif = (dark, light) =>
  disc(0, -52, 50, dark) +
  disc(0, -52, 42, light) +
  line('M0-88V-82M0-22V-16M-36-52H-30M30-52H36', dark, 4) +
  line('M0-52V-80M0-52L20-40', dark, 5) +
  disc(0, -52, 4, dark);

const bird: Motif = (dark, light) =>
  path('M-46-40C-22-46-20-74 6-78C22-80 30-66 28-54C26-30 4-18-16-20L-50-30Z', dark) +
  path('M28-66L44-60L28-56Z', light) +
  disc(17, -66, 3, light) +
  path('M-10-50C2-56 14-48 12-36C2-28-14-32-22-40Z', light, 'opacity=".45"') +
  line('M-4-20V0M6-22V0', dark, 3);

const fox: Motif = (dark, light) =>
  path('M-38-92L-16-70H16L38-92L36-42L0-4L-36-42Z', dark) +
  path('M-36-42L-14-44L0-18L14-44L36-42L0-4Z', light) +
  path('M-33-82L-20-68L-31-60ZM33-82L20-68L31-60Z', light, 'opacity=".55"') +
  disc(-15, -52, 3.4, light) +
  disc(15, -52, 3.4, light) +
  disc(0, -9, 5, dark);

const tree: Motif = (dark, light) =>
  rect(-4, -46, 8, 46, dark) +
  disc(0, -74, 30, dark) +
  disc(-22, -56, 21, dark) +
  disc(22, -56, 21, dark) +
  [-24, -6, 12, 27, 2].map((x, at) => disc(x, [-62, -86, -70, -52, -54][at] as number, 4.2, light)).join('');

const bridge: Motif = (dark, light) =>
  line('M-150-46C-100-46-84-92-62-92C-40-92-20-46 0-46C20-46 40-92 62-92C84-92 100-46 150-46', light, 2.5) +
  line('M-62-96V0M62-96V0', dark, 7) +
  rect(-160, -40, 320, 7, dark) +
  line('M-100-58V-38M-82-76V-38M-40-78V-38M-22-58V-38M22-58V-38M40-78V-38M82-76V-38M100-58V-38', light, 1.4);

const tower: Motif = (dark, light) =>
  rect(-40, -64, 24, 64, dark) +
  path('M-40-64L-28-84L-16-64Z', dark) +
  rect(-14, -92, 30, 92, dark) +
  path('M-14-92L1-120L16-92Z', dark) +
  rect(18, -52, 26, 52, dark) +
  [-31, -5, 4, 28].map((x, at) => rect(x, [-50, -76, -52, -38][at] as number, 5, 9, light)).join('');

const house: Motif = (dark, light) =>
  rect(-40, -88, 80, 88, dark) +
  rect(-31, -79, 62, 70, light) +
  line('M0-79V-9M-31-44H31', dark, 5) +
  rect(-46, -8, 92, 8, dark);

const candle: Motif = (dark, light) =>
  disc(0, -88, 34, light, 'opacity=".22"') +
  path('M0-112C14-94 10-80 0-76C-10-80-14-94 0-112Z', light) +
  rect(-11, -68, 22, 64, dark) +
  line('M0-68V-78', dark, 3) +
  rect(-24, -6, 48, 6, dark);

const train: Motif = (dark, light) =>
  rect(-58, -52, 74, 36, dark, 'rx="3"') +
  path('M16-70H50V-16H16Z', dark) +
  path('M-50-52V-70H-36V-52Z', dark) +
  rect(24, -62, 18, 18, light, 'rx="2"') +
  rect(-48, -44, 56, 8, light, 'opacity=".5"') +
  [-44, -20, 6, 34].map((x) => disc(x, -11, 11, dark) + disc(x, -11, 4, light)).join('') +
  disc(-46, -84, 9, light, 'opacity=".55"') +
  disc(-58, -98, 13, light, 'opacity=".4"') +
  disc(-76, -114, 17, light, 'opacity=".25"');

const letter: Motif = (dark, light) =>
  `<g transform="rotate(-7 0 -40)">${rect(-50, -74, 100, 66, light, 'rx="2"')}${line('M-50-74L0-36L50-74M-50-8L-14-46M50-8L14-46', dark, 3)}</g>`;

const rose: Motif = (dark, light) =>
  line('M0 0C-4-20 4-34 0-56', dark, 4) +
  path('M-2-22C-22-40-30-26-34-18C-22-10-10-12-2-22ZM2-34C18-50 28-38 32-30C20-22 10-24 2-34Z', dark) +
  disc(0, -76, 24, light) +
  line('M-12-72C-12-90 12-92 14-76C15-64-4-64-3-75C-2-82 8-80 6-74', dark, 3);

const mirror: Motif = (dark, light) =>
  `<ellipse cx="0" cy="-56" rx="36" ry="50" fill="${dark}"/><ellipse cx="0" cy="-56" rx="28" ry="42" fill="${light}"/>` +
  path('M-16-34L10-86L18-78L-8-26Z', '#fff', 'opacity=".5"') +
  rect(-20, -8, 40, 8, dark);

const kite: Motif = (dark, light) =>
  path('M10-118L44-78L10-30L-22-78Z', light) +
  path('M10-118L44-78H-22ZM10-30L10-78H44Z', dark, 'opacity=".35"') +
  line('M10-30C2-16 18-10 6 0M-22-78H44M10-118V-30', dark, 2);

const tent: Motif = (dark, light) =>
  path('M-58 0L0-74L58 0Z', light) +
  path('M-58 0L0-74L-34 0ZM-14 0L0-74L14 0ZM34 0L0-74L58 0Z', dark) +
  line('M0-74V-92', dark, 3) +
  path('M0-92L20-86L0-80Z', light);

const feather: Motif = (dark, light) =>
  path('M-20 0C-40-50-4-100 34-112C40-70 24-20-12-12Z', light) +
  line('M-22 4C-8-40 8-70 28-102M-8-34L16-40M0-56L26-64', dark, 2.4);

/** Beginnings of words, and what they are drawn as. */
const WORDS: readonly (readonly [beginning: RegExp, motif: Motif])[] = [
  [/lighthouse/, lighthouse],
  [/harbour|ferr|boat|captain|river|tide|floating|island|coral/, boat],
  [/lantern/, lantern],
  [/comet|pilot|stars/, comet],
  [/keys?\b|secret|cellar|archive/, key],
  [/clock|midnight|unfinished/, clock],
  [/sparrow|owl|heron|dove/, bird],
  [/fox/, fox],
  [/orchard|forest|apple|cedar|moss|wild/, tree],
  [/bridge/, bridge],
  [/tower|hotel|market/, tower],
  [/window|kitchen|neighbour|glass|frost/, house],
  [/candle|silk|honey|smoke|ash\b|burning/, candle],
  [/train|iron|copper|electric/, train],
  [/letter|postcard|paper|ink|map|cartographer/, letter],
  [/garden|rose|summer|gentle|scarlet/, rose],
  [/mirror|silver|invisible|shadow/, mirror],
  [/kite|thunder|wandering/, kite],
  [/circus|carnival|dancer|waltz/, tent],
  [/feather|horse|bell|violin|orchestra|music|echo/, feather],
];

/** What a title speaks of, if it is something that can be drawn. */
export function motifOf(title: string): Motif | undefined {
  const words = title.toLowerCase();
  return WORDS.find(([beginning]) => beginning.test(words))?.[1];
}
