import { wasmNacl } from './wasm-nacl.ts';
import { EnvironmentError } from '@tutti/base';
import type { CryptoSuite } from './crypto-suite.ts';
import { openedKeystream, wasmKeystream } from './keystream.ts';
import { partsOf } from './portable-parts.ts';

/**
 * As `portableCrypto`, for where WebAssembly SIMD is known to run: without the mask stream and tweetnacl in JavaScript, which a bundle need
 * not have then. Its mask stream throws an {@link EnvironmentError} where there is none.
 */
export const wasmCrypto: CryptoSuite = {
  ...partsOf(wasmNacl),
  ...openedKeystream(() => {
    const opened = wasmKeystream();
    if (opened === undefined) throw new EnvironmentError('WebAssembly SIMD does not run here');
    return opened;
  }),
};
