import type { CryptoSuite } from './crypto-suite.ts';
import { measuredKeystream, portableKeystreams } from './fastest-keystream.ts';
import { portableParts } from './portable-parts.ts';

/** Everything in TypeScript and tweetnacl: runs wherever JavaScript runs. */
export const portableCrypto: CryptoSuite = { ...portableParts, ...measuredKeystream(portableKeystreams) };
