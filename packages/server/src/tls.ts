import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError } from './errors.ts';

/** A certificate with its key, as TLS takes them. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** Until when it holds, in milliseconds since the epoch. */
  readonly validToMs: number;
}

/** Where a certificate and its key are. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/**
 * Reads a certificate and its key, and checks that they belong together.
 * @throws {ConfigError} with everything that is wrong with them.
 */
export function readCertificate({ certificate, key }: CertificateFiles): Certificate {
  const problems: string[] = [];
  const refuse = (path: string, problem: string): undefined =>
    void problems.push(`listen.tls.${path}: ${problem}`);
  const cert = textOf(certificate, (problem) => refuse('certificate', problem));
  const secret = textOf(key, (problem) => refuse('key', problem));
  const parsed = cert === undefined ? undefined : parse(() => new X509Certificate(cert));
  const parsedKey = secret === undefined ? undefined : parse(() => createPrivateKey(secret));
  if (cert !== undefined && parsed === undefined)
    refuse('certificate', `${certificate} holds no PEM certificate`);
  if (secret !== undefined && parsedKey === undefined)
    refuse('key', `${key} holds no PEM private key, or one with a passphrase`);
  if (parsed !== undefined && parsedKey !== undefined && !parsed.checkPrivateKey(parsedKey))
    refuse('key', `${key} is not the key of ${certificate}`);
  if (problems.length > 0 || cert === undefined || secret === undefined || parsed === undefined)
    throw new ConfigError(problems);
  createSecureContext({ cert, key: secret });
  return { cert, key: secret, validToMs: Date.parse(parsed.validTo) };
}

function textOf(path: string, refuse: (problem: string) => void): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    refuse(`${path} cannot be read: ${code ?? message}`);
    return undefined;
  }
}

/** What is in a file never gets into a message: errors of these parsers are dropped. */
function parse<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** What Node’s TLS server takes: nothing older than TLS 1.2. */
export const tlsOptions = ({ cert, key }: Certificate) => ({ cert, key, minVersion: 'TLSv1.2' as const });
