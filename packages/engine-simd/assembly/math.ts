/** exp and log1p in float32 vectors, from + − × ÷ alone: WebAssembly rounds those alike everywhere, Math.exp does not. */

/** exp(x) for x ≤ 0: x = n·ln 2 + r, |r| ≤ ln 2 / 2; the series of exp(r) to r⁷; relative error below 2⁻²². */
// @ts-ignore: decorator
@inline
export function expOfNegative(x: v128): v128 {
  // exp(−87) is the smallest normal result; below it this returns that, which a sum with 1 absorbs.
  const clamped = f32x4.max(x, f32x4.splat(-87));
  const n = f32x4.nearest(f32x4.mul(clamped, f32x4.splat(1.4426950408889634)));
  // ln 2 in two parts: n times the first is exact.
  const r = f32x4.sub(
    f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(0.693359375))),
    f32x4.mul(n, f32x4.splat(-2.12194440054690583e-4)),
  );
  let series = f32x4.splat(1.0 / 5040);
  series = f32x4.add(f32x4.mul(series, r), f32x4.splat(1.0 / 720));
  series = f32x4.add(f32x4.mul(series, r), f32x4.splat(1.0 / 120));
  series = f32x4.add(f32x4.mul(series, r), f32x4.splat(1.0 / 24));
  series = f32x4.add(f32x4.mul(series, r), f32x4.splat(1.0 / 6));
  series = f32x4.add(f32x4.mul(series, r), f32x4.splat(0.5));
  series = f32x4.add(f32x4.mul(series, r), f32x4.splat(1));
  series = f32x4.add(f32x4.mul(series, r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(series, power);
}

/** log(1 + e) for 0 ≤ e ≤ 1: 2·artanh(s) with s = e / (2 + e) ≤ 1/3, the series to s¹³. */
// @ts-ignore: decorator
@inline
export function log1pOfUnit(e: v128): v128 {
  const s = f32x4.div(e, f32x4.add(e, f32x4.splat(2)));
  const squared = f32x4.mul(s, s);
  let series = f32x4.splat(2.0 / 13);
  series = f32x4.add(f32x4.mul(series, squared), f32x4.splat(2.0 / 11));
  series = f32x4.add(f32x4.mul(series, squared), f32x4.splat(2.0 / 9));
  series = f32x4.add(f32x4.mul(series, squared), f32x4.splat(2.0 / 7));
  series = f32x4.add(f32x4.mul(series, squared), f32x4.splat(2.0 / 5));
  series = f32x4.add(f32x4.mul(series, squared), f32x4.splat(2.0 / 3));
  series = f32x4.add(f32x4.mul(series, squared), f32x4.splat(2));
  return f32x4.mul(series, s);
}
