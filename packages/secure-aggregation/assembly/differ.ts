/** Whether bytes differ, in the same time wherever they do. */
export function differ(a: usize, b: usize, bytes: usize): bool {
  let d: u32 = 0;
  for (let i: usize = 0; i < bytes; i++) d |= load<u8>(a + i) ^ load<u8>(b + i);
  return d != 0;
}
