import type { SeededRandom } from '@tutti/base';

/** First names for people of generated data. */
export const PERSON_NAMES: readonly string[] = ('Ada Bruno Chidi Dalia Emre Fatou Goran Hana Iris Jonas Kaya Lena Malik Nora Oskar Priya ' +
  'Quinn Rosa Sami Tuva Umar Vera Wim Ximena Yusuf Zoe Anouk Bao Carla Dov Elif Freya Gil Hugo Imani Jaya Kofi Luz Mina Nils').split(' ');

const ADJECTIVES = ('Tin Salt Low Nine Paper Quiet Amber Hollow Northern Velvet Broken Silver Last Crooked Winter Golden Distant Burning ' +
  'Silent Wandering Iron Blue Secret Second Endless Little Crimson Glass Forgotten Early Restless Lunar').split(' ');

const NOUNS = ('Harbour Road Orbit Lantern Garden Station Letter River Window Orchard Signal Compass Summer Tower Mirror Island Engine Canyon ' +
  'Market Parade Lighthouse Ferry Meadow Clock Bridge Archive Voyage Kitchen Atlas Shadow Carnival Horizon').split(' ');

const PATTERNS: readonly ((adjective: string, noun: string, other: string) => string)[] = [
  (adjective, noun) => `${adjective} ${noun}`,
  (adjective, noun) => `The ${adjective} ${noun}`,
  (_, noun, other) => `${noun} and ${other}`,
  (adjective, noun, other) => `The ${noun} of the ${adjective} ${other}`,
  (_, noun, other) => `A ${noun} for the ${other}`,
];

/** `count` different invented titles. */
export function inventTitles(count: number, random: SeededRandom): string[] {
  const titles = new Set<string>();
  const pick = (words: readonly string[]): string => words[random.int(words.length)] as string;
  for (let tries = 0; titles.size < count; tries++) {
    const noun = pick(NOUNS);
    let other = pick(NOUNS);
    while (other === noun) other = pick(NOUNS);
    const title = (PATTERNS[random.int(PATTERNS.length)] as (typeof PATTERNS)[number])(pick(ADJECTIVES), noun, other);
    titles.add(tries < 4 * count ? title : `${title} ${titles.size}`);
  }
  return [...titles];
}
