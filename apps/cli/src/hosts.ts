import { readFile } from 'node:fs/promises';
import { systemRandom } from '@tutti/base';
import type { RedisPeers } from '@tutti/cluster-redis';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import type { SimulationOptions } from '@tutti/simulation';
import { Option } from 'commander';
import { CommandError, EXIT } from './exit-codes.ts';
import type { Screen } from './ui/screen.ts';
import { VERSION } from './version.ts';

/** Characters that a secret has at least. */
const LEAST_SECRET = 16;

/** Meets the others at a Redis that spread simulations over hosts, or host their devices. */
export async function openHosts(options: {
  readonly redis: string;
  readonly secretFile: string | undefined;
  readonly isHost: boolean;
}): Promise<RedisPeers> {
  const { redis, secretFile, isHost } = options;
  const given = secretFile === undefined ? new Uint8Array(0) : await readSecret(secretFile);
  const secret = nodeCrypto.digest('simulation-workers', given);
  const { openPeers } = await import('@tutti/cluster-redis');
  return openPeers({ redis, secret, isHost, crypto: nodeCrypto, random: systemRandom() });
}

/** What a command line says of workers. */
export interface WorkersFlags {
  readonly workers?: number | string;
  readonly secretFile?: string;
}

/** @throws {CommandError} where a secret is given for nothing. */
export function checkWorkers({ workers, secretFile }: WorkersFlags): void {
  if (secretFile !== undefined && typeof workers !== 'string')
    throw new CommandError('--secret-file is for --workers redis://…, which is not given');
}

/** `--secret-file` of commands whose `--workers` may be a Redis. */
export const secretOption = (): Option =>
  new Option('--secret-file <file>', 'with redis://…: what seals what travels; workers are given the same');

/** The workers that devices of a simulation are to live at, or that are to rank for people, where there are to be some. */
export async function hostsOf(
  { workers, secretFile }: WorkersFlags,
  screen: Screen,
): Promise<{
  hosts?: Pick<SimulationOptions, 'hosts'>;
  leave(): Promise<void>;
}> {
  if (typeof workers !== 'string') return { leave: async () => undefined };
  const peers = await openHosts({ redis: workers, secretFile, isHost: false });
  const onHost = (line: string): void => screen.line(`workers: ${line}`);
  return { hosts: { hosts: { peers, version: VERSION, onHost } }, leave: () => peers.close() };
}

async function readSecret(file: string): Promise<Uint8Array> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CommandError(`--secret-file: ${file} cannot be read`, EXIT.usage, { cause });
  });
  const secret = text.trim();
  if (secret.length < LEAST_SECRET)
    throw new CommandError(
      `--secret-file: ${file} has ${secret.length} characters; at least ${LEAST_SECRET} are needed, such as of \`openssl rand -hex 32\``,
      EXIT.usage,
    );
  return Buffer.from(secret);
}
