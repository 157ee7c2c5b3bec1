/**
 * What runs wherever JavaScript runs, also where a content policy forbids WebAssembly. An entry of its own, so that the mask stream in
 * TypeScript comes along only where it may be needed.
 */
export { fastestKeystream, portableKeystreams, typescriptKeystream } from './fastest-keystream.ts';
export { portableCrypto } from './portable-crypto.ts';
