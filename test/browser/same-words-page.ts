export { portableCrypto } from '@tutti/secure-aggregation';
export { maskedVectors } from './same-words.ts';
