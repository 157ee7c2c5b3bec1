import type { CryptoSuite } from './crypto-suite.ts';
import { measuredKeystream, portableKeystreams } from './fastest-keystream.ts';
import { partsOf } from './portable-parts.ts';
import { lowlevel } from './tweetnacl.gen.ts';

/** All but the mask stream. */
export const portableParts = partsOf(lowlevel);

/** Everything in TypeScript and tweetnacl: runs wherever JavaScript runs. */
export const portableCrypto: CryptoSuite = { ...portableParts, ...measuredKeystream(portableKeystreams) };
