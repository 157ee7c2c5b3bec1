import { DecodeError, toHex, UsageError } from '@tutti/base';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { idOf, keyOf, reasonOf, suite as crypto } from '../test/suite.ts';
import { IdentityError } from './errors.ts';
import { IDENTITY_LEVELS, reachesLevel } from './levels.ts';
import { checkToken, decodeToken, issueToken, TOKEN_BYTES, type TokenCheck } from './token.ts';

const key = keyOf(7);
const clientId = idOf(0xabcdef);
const expiresAt = 1_800_000_000;
const token = issueToken({ clientId, expiresAt, logIndex: 513 }, key, crypto);
const check: TokenCheck = { clientId, authority: key.publicKey, now: expiresAt - 1, crypto };

const shown = (bytes: Uint8Array, over: Partial<TokenCheck> = {}): string =>
  reasonOf(() => checkToken(bytes, { ...check, ...over }));

/** The token with one byte changed. */
function changed(at: number, mask = 1): Uint8Array {
  const bytes = token.slice();
  bytes[at]! ^= mask;
  return bytes;
}

describe('a token', () => {
  it('has the layout that its comment gives', () => {
    expect(token.length).toBe(TOKEN_BYTES);
    // Version 1, kind 1, 1,800,000,000 = 0x6b49d200 and 513 = 0x0201 least significant byte first, four zeros.
    expect(toHex(token.slice(0, 16))).toBe(`0101${'00d2496b0000'}${'01020000'}00000000`);
    expect(toHex(token.slice(16, 32))).toBe(toHex(crypto.digest('authority', key.publicKey).slice(0, 16)));
    const digest = crypto.digest('token', key.publicKey, Uint8Array.from(idBytes()), token.slice(0, 32));
    expect(crypto.verify(digest, token.slice(32), key.publicKey)).toBe(true);
  });

  it('says what it was issued for', () => {
    expect(checkToken(token, check)).toMatchObject({ expiresAt, logIndex: 513 });
    const plain = issueToken({ clientId, expiresAt }, key, crypto);
    expect(checkToken(plain, check).logIndex).toBeUndefined();
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 48 - 1 }),
        fc.integer({ min: 0, max: 2 ** 32 - 2 }),
        (expiry, at) => {
          const fields = { clientId, expiresAt: expiry, logIndex: at };
          expect(decodeToken(issueToken(fields, key, crypto))).toMatchObject({
            expiresAt: expiry,
            logIndex: at,
          });
        },
      ),
      { seed: 1, numRuns: 50 },
    );
  });

  it.each<[string, string]>([
    ['accepted', shown(token)],
    ['token-missing', shown(new Uint8Array(TOKEN_BYTES))],
    ['token-malformed', shown(token.slice(1))],
    ['token-malformed', shown(changed(0, 3))],
    ['token-malformed', shown(changed(1, 2))],
    ['token-malformed', shown(changed(12))],
    // Kind 0 with a position.
    ['token-malformed', shown(changed(1, 1))],
    ['token-wrong-authority', shown(changed(16))],
    ['token-wrong-authority', shown(token, { authority: keyOf(8).publicKey })],
    ['token-wrong-authority', shown(issueToken({ clientId, expiresAt, logIndex: 513 }, keyOf(8), crypto))],
    ['token-expired', shown(token, { now: expiresAt })],
    ['token-expired', shown(token, { now: expiresAt + 1e6 })],
    ['token-forged', shown(token, { clientId: idOf(1) })],
    ['token-forged', shown(changed(2))],
    ['token-forged', shown(changed(8))],
    ['token-forged', shown(changed(95))],
    [
      'token-forged',
      shown(issueToken({ clientId, expiresAt }, { ...keyOf(8), publicKey: key.publicKey }, crypto)),
    ],
  ])('%s (%#)', (expected, found) => {
    expect(found).toBe(expected);
  });

  it('has no byte that can be changed', () => {
    for (let at = 0; at < TOKEN_BYTES; at++)
      for (const mask of [1, 0x80]) expect(shown(changed(at, mask)), `byte ${at}`).not.toBe('accepted');
  });

  it('is not changed by being checked, and a refusal names both sides and no key', () => {
    const before = token.slice();
    let message = '';
    try {
      checkToken(token, { ...check, now: expiresAt + 5 });
    } catch (error) {
      expect(error).toBeInstanceOf(IdentityError);
      message = (error as Error).message;
    }
    expect(token).toEqual(before);
    expect(message).toBe(
      `token-expired: the token of ${clientId} held until ${expiresAt}; it is ${expiresAt + 5}`,
    );
  });

  it.each<[string, () => unknown, new (...args: never[]) => Error]>([
    ['a client id that is none', () => issueToken({ clientId: 'ab', expiresAt }, key, crypto), DecodeError],
    ['no expiry', () => issueToken({ clientId, expiresAt: 0 }, key, crypto), UsageError],
    [
      'an expiry in fractions of a second',
      () => issueToken({ clientId, expiresAt: 1.5 }, key, crypto),
      UsageError,
    ],
    [
      'a position beyond any log',
      () => issueToken({ clientId, expiresAt, logIndex: 2 ** 32 - 1 }, key, crypto),
      UsageError,
    ],
  ])('is not issued for %s', (_, work, kind) => {
    expect(work).toThrow(kind);
  });
});

describe('levels', () => {
  it('reach what is as strong or weaker', () => {
    for (const [at, level] of IDENTITY_LEVELS.entries())
      expect(IDENTITY_LEVELS.map((least) => reachesLevel(level, least))).toEqual(
        IDENTITY_LEVELS.map((_, least) => least <= at),
      );
  });
});

/** 16 bytes of the client id, by hand. */
function idBytes(): number[] {
  return [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd, 0xef];
}
