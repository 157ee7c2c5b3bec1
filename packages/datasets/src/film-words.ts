import type { SeededRandom } from '@tutti/base';

/** Genre of each cluster, in order; also what bounds the number of clusters. */
export const GENRES = [
  'Drama',
  'Comedy',
  'Mystery',
  'Adventure',
  'Romance',
  'Science Fiction',
  'Documentary',
  'Animation',
  'Thriller',
  'Musical',
  'Western',
  'Fantasy',
] as const;

const words = (text: string): readonly string[] => text.split(' ');

const NUMBERS = words('Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Twenty Forty Sixty Ninety');
const PLURALS = words(
  'Lanterns Harbours Letters Winters Rivers Orchards Sparrows Candles Bridges Islands Mirrors Violins Keys Ferries ' +
    'Gardens Comets Maps Kites Lighthouses Owls Strangers Sisters Brothers Postcards Trains Windows Stones Feathers ' +
    'Horses Bells Boats Towers Foxes Apples Shadows Dancers Clocks Pilots Summers Tides',
);
const QUALITIES = words(
  'Salt Quiet Amber Paper Silver Crooked Painted Hollow Northern Velvet Copper Distant Hidden Borrowed Golden Last ' +
    'Broken Winter Midnight Scarlet Gentle Wandering Unfinished Glass Burning Little Long Wild Second Lonely Blue ' +
    'Tin Electric Secret Sleeping Stolen Invisible Honest Floating Forgotten',
);
const THINGS = words(
  'Road Harbour Garden River Letter Mountain Kitchen Orchestra Lighthouse Ferry Orchard Island Window Bridge Cellar ' +
    'Tailor Pilot Baker Cartographer Gardener Captain Neighbour Stranger Sister Waltz Carnival Archive Market Forest ' +
    'Comet Violin Fox Heron Train Hotel Tower Clock Map Lantern Circus',
);
const MASSES = words(
  'Rain Snow Ash Silk Honey Smoke Dust Thunder Light Salt Iron Clay Ink Fog Music Glass Cedar Frost Stars Marble ' +
    'Copper Roses Sand Wool Linen Coral Amber Moss Tea Echoes',
);
const PLACES = words(
  'Lisbon Oslo Marrakesh Kyoto Havana Trieste Galway Bergen Cusco Tbilisi Zanzibar Valparaiso Tangier Riga Odense ' +
    'Hanoi Palermo Bruges Samarkand Cardiff Quito Ghent Nairobi Porto Tromso Split Dakar Leith Montreal Jaipur',
);
const STARTS = words('Before After Beyond Beneath Behind Without Against Past Under Across');

/** Names that people on the shelf are shown by. */
const FIRST_NAMES = words(
  'Ada Ben Chidi Dora Emil Farah Goran Hana Idris Jun Kofi Lena Mateo Nadia Omar Paula Quentin Rosa Sami Tessa Uma ' +
    'Viktor Wanda Xavier Yara Zeno Amara Bruno Clara Dmitri Elif Felix Greta Hugo Ines Jonas Kira Leo Maya Noor Otto ' +
    'Petra Qasim Rhea Stefan Talia Ulla Vera Wim Ximena Yusuf Zoe Anton Bianca Caleb Daria Ezra Flora Gus Hedda Ivo ' +
    'Jada Kenji Lucia Milo Nina Oskar Priya Remy Selma Theo Ursula Vito Willa Yoko Zara Arlo Beatriz Cyrus Delia Eero ' +
    'Freya Gideon Halima Isak Juno Klaus Lila Marek Nora Oona Pavel Rafael Saskia Tariq Una Valentin Wren Yael Zofia ' +
    'Alma Boris Cleo Darius Esme Finn Gloria Hiro Ilse Jasper Kamila Linus Mira Nikolai Olive Pilar Rune Sabine Tomas',
);

type Draw = (list: readonly string[]) => string;

/** How a title is put together; the last has the most forms, and titles that repeat fall back on it. */
const PATTERNS: readonly ((draw: Draw) => string)[] = [
  (draw) => `${draw(NUMBERS)} ${draw(PLURALS)}`,
  (draw) => `The ${draw(QUALITIES)} ${draw(THINGS)}`,
  (draw) => `The ${draw(QUALITIES)} ${draw(THINGS)}`,
  (draw) => `${draw(MASSES)} over ${draw(PLACES)}`,
  (draw) => `A ${draw(THINGS)} in ${draw(PLACES)}`.replace(/^A (?=[AEIOU])/, 'An '),
  (draw) => `${draw(STARTS)} the ${draw(THINGS)}`,
  (draw) => `${draw(PLURALS)} of ${draw(MASSES)}`,
  (draw) => `${draw(FIRST_NAMES)} and the ${draw(THINGS)}`,
  (draw) => `The ${draw(THINGS)} of ${draw(PLACES)}`,
  (draw) => `The ${draw(QUALITIES)} ${draw(THINGS)} of ${draw(PLACES)}`,
];

/** Invented titles, no two alike. */
export function filmTitles(count: number, random: SeededRandom): string[] {
  const titles = new Set<string>();
  const draw: Draw = (list) => list[random.int(list.length)] as string;
  const longest = PATTERNS.at(-1) as (draw: Draw) => string;
  while (titles.size < count) {
    const title = (PATTERNS[random.int(PATTERNS.length - 1)] as (draw: Draw) => string)(draw);
    titles.add(titles.has(title) ? longest(draw) : title);
  }
  return Array.from(titles);
}

/** Names, no two alike: the list once round, then again with letters behind (Ada A., Ada B., …). */
export function firstNames(count: number): string[] {
  return Array.from({ length: count }, (_, person) => {
    const name = FIRST_NAMES[person % FIRST_NAMES.length] as string;
    const time = Math.floor(person / FIRST_NAMES.length);
    return time === 0 ? name : `${name} ${letters(time)}.`;
  });
}

/** 1 is A, 26 is Z, 27 is AA. */
function letters(number: number): string {
  if (number === 0) return '';
  const rest = Math.floor((number - 1) / 26);
  return letters(rest) + String.fromCharCode(65 + ((number - 1) % 26));
}
