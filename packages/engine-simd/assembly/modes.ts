/** C = A·B. */
export const SET: i32 = 0;
/** C = start + A·B, with one row of starts for all rows. */
export const FROM: i32 = 1;
/** C = max(0, start + A·B). pmax(0, x) is x only where 0 < x: no −0 and no NaN come out. */
export const LAYER: i32 = 2;
