import { seededRandom } from '@tutti/base';
import type { Film } from '../films.ts';
import { chanceOf, HEIGHT, WIDTH } from './brush.ts';
import { credit, lettered } from './lettering.ts';
import { drama, PAINTERS } from './scenes.ts';

/**
 * A film's poster as SVG: its first genre says what is painted and with which letters, its title what stands in the picture, and the
 * film itself all the rest. The same film always has the same one.
 */
export function poster(film: Film): string {
  const { id, title, genres, director, year } = film;
  const chance = chanceOf(seededRandom(id).fork('poster'));
  const paint = PAINTERS[genres[0] ?? ''] ?? drama;
  const scene = paint(chance, title, 'p');
  const words =
    lettered(title, scene.title) +
    credit(`${director} · ${year}`, scene.credit.y, scene.credit.colour, scene.credit.align);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}">${scene.drawing}${words}</svg>`;
}

/** The same as the address of an image. */
export const posterAddress = (film: Film): string => `data:image/svg+xml,${encodeURIComponent(poster(film))}`;
