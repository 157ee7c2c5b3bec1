/** What a connection fails with whose certificate is refused. @see OpenSSL, X509_STORE_CTX_get_error, as Node names its errors */
const UNTRUSTED = new Set([
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_UNTRUSTED', 'INVALID_CA'],
]);

const UNFIT: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID:
    'is for another name: use the name that it is for, or serve one for this name',
  CERT_HAS_EXPIRED: 'has ended: renew it, and send the coordinator SIGHUP',
  CERT_NOT_YET_VALID: 'does not hold yet: see the clocks of both machines',
};

/** The system’s code of what failed, wherever it stands in the chain of causes. */
export function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.name === 'TimeoutError') return 'ETIMEDOUT';
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return error instanceof Error ? error.message : String(error);
}

/** What is wrong with a certificate, and what to do, where a connection failed for it. @param code as {@link codeOf} gives it. */
export function certificateProblem(code: string): string | undefined {
  if (UNTRUSTED.has(code))
    return `is not trusted here (${code}): serve one of a known authority with those between, or set NODE_EXTRA_CA_CERTS to a file with the authority’s certificate`;
  const problem = UNFIT[code];
  return problem === undefined ? undefined : `${problem} (${code})`;
}
