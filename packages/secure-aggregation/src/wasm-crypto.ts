import { EnvironmentError } from '@tutti/base';
import type { CryptoSuite } from './crypto-suite.ts';
import { openedKeystream, wasmKeystream } from './keystream.ts';
import { portableParts } from './portable-parts.ts';

/**
 * As `portableCrypto`, for where WebAssembly SIMD is known to run: without the mask stream in TypeScript, which a bundle need not have then.
 * Its mask stream throws an {@link EnvironmentError} where there is none.
 */
export const wasmCrypto: CryptoSuite = {
  ...portableParts,
  ...openedKeystream(() => {
    const opened = wasmKeystream();
    if (opened === undefined) throw new EnvironmentError('WebAssembly SIMD does not run here');
    return opened;
  }),
};
