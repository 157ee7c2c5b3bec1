export { portableCrypto } from '@tutti/secure-aggregation/portable';
export { maskedVectors } from './same-words.ts';
