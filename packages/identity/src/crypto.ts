/** What identity needs of a crypto suite. The suites of `@tutti/secure-aggregation` have it. */
export interface IdentityCrypto {
  /** H(label, ...parts): the first 32 bytes of SHA-512("tutti/v1/" ‖ label ‖ 0x00 ‖ u32 length and bytes of each part). */
  digest(label: string, ...parts: readonly Uint8Array[]): Uint8Array;
  /** An Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
  /** Strict: false for wrong lengths and for S at or above the group order. */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
}

/** An authority's Ed25519 key. */
export interface AuthorityKey {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}
