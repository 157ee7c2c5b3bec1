/**
 * A film shelf to try, with a coordinator and a background population.
 *
 * ```ts
 * import { openDemo } from '@tutti/demo';
 *
 * const demo = await openDemo({ port: 0 });
 * console.log(demo.url);
 * await demo.close();
 * ```
 */
export { openDemo } from './demo.ts';
export type { Demo, DemoOptions } from './demo.ts';
export type { Film } from './films.ts';
