function isPrime(number: number): boolean {
  let factor = 2;
  while (factor * factor <= number && number % factor !== 0) factor++;
  return factor * factor > number;
}

/** ⌊∛n⌋ by Newton's method from above. */
function cubeRoot(n: bigint, above: bigint): bigint {
  for (let root = above; ;) {
    const next = (2n * root + n / (root * root)) / 3n;
    if (next >= root) return root;
    root = next;
  }
}

/** The round constants of SHA-512 (FIPS 180-4, 4.2.3): the first 64 bits of the fractions of the cube roots of the first 80 primes. */
export function roundConstants(): BigUint64Array {
  const constants = new BigUint64Array(80);
  for (let prime = 2, count = 0; count < constants.length; prime++)
    if (isPrime(prime)) constants[count++] = cubeRoot(BigInt(prime) << 192n, 1n << 67n);
  return constants;
}
