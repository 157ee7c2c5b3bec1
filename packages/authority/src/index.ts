/**
 * An enrolment authority in Node: its key, its log and its HTTP service. Run it beside an app's login back end, never beside the
 * coordinator.
 *
 * ```ts
 * import { mkdtempSync } from 'node:fs';
 * import { initAuthority, openAuthority } from '@tutti/authority';
 *
 * const folder = mkdtempSync('/tmp/authority-');
 * console.log('pin this in the app:', initAuthority(folder));
 * const authority = await openAuthority(folder, { days: 30 });
 * const { token } = await authority.enrol('00112233445566778899aabbccddeeff');
 * console.log(token.length);
 * await authority.close();
 * ```
 */
export { AuthorityFolderError, AuthorityInUseError } from './errors.ts';
export { fileLog } from './file-log.ts';
export { authorityPublicKey, authoritySecret, initAuthority, openAuthority } from './folder.ts';
export { authorityService } from './service.ts';
export type { AuthorityService, ServiceOptions } from './service.ts';
