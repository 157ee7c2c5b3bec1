import { spreadInto } from '@tutti/base';
import type { LocalUpdate, Model } from './types.ts';

/** An update's delta in the whole shared layout: the delta itself where it has everything. */
export function wholeDelta({ delta, ranges }: LocalUpdate, { layout }: Pick<Model, 'layout'>): Float32Array {
  if (ranges === undefined) return delta;
  const whole = new Float32Array(layout.length);
  spreadInto(whole, delta, ranges);
  return whole;
}
