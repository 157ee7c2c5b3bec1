import { canonicalJson, toHex } from '@tutti/base';
import { portableCrypto } from '@tutti/secure-aggregation/portable';
import { expect, it } from 'vitest';
import { bytesOf, DESCRIPTION, SAMPLES } from '../test/samples.ts';
import { encodeMessage } from './codec.ts';
import { helloDigest, phaseDigest, roundDigest } from './description.ts';
import { PROTOCOL_VERSION } from './limits.ts';

/**
 * The bytes of version 2, recorded: a difference here is a change of the protocol, and asks for another version.
 * How the file is made is in vectors/README.md.
 */
it('every message and digest is as recorded', async () => {
  const digestOfRound = roundDigest(DESCRIPTION, portableCrypto);
  const record = {
    source: '@tutti/protocol, packages/protocol/test/samples.ts',
    protocol: PROTOCOL_VERSION,
    digests: {
      canonicalDescription: canonicalJson(DESCRIPTION),
      round: toHex(digestOfRound),
      phaseDescribe: toHex(phaseDigest('describe', digestOfRound, [], portableCrypto)),
      phaseRoster: toHex(
        phaseDigest('roster', digestOfRound, [Uint8Array.of(1, 0), bytesOf(8)], portableCrypto),
      ),
      hello: toHex(helloDigest(bytesOf(32), 'films', bytesOf(32, 64), portableCrypto)),
    },
    messages: Object.fromEntries(
      Object.entries(SAMPLES).map(([type, message]) => [type, toHex(encodeMessage(message as never))]),
    ),
  };
  await expect(`${JSON.stringify(record, null, 2)}\n`).toMatchFileSnapshot('../vectors/messages.json');
});
