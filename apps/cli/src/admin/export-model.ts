import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fromHex, toHex } from '@tutti/base';
import { openDownloads } from '@tutti/client/sdk';
import type { SignedManifest } from '@tutti/coordination';
import { createModel, decodeCheckpoint, decodeModelConfig, layersFiles } from '@tutti/model';
import { openNodeTensorflow } from '@tutti/model/node';
import { decodeManifest, manifestDigest, type TaskInfo } from '@tutti/protocol';
import { nodeCrypto } from '@tutti/secure-aggregation/node';
import { CommandError, EXIT } from '../exit-codes.ts';

/** Forms that a model can be exported in. */
export const EXPORT_FORMATS = ['safetensors', 'tfjs'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** What was written. */
export interface Exported {
  readonly format: ExportFormat;
  readonly files: readonly string[];
  readonly hash: string;
  readonly round: number;
}

/**
 * Writes a model with its manifest, once both are what the coordinator's key says.
 * @param out a file for safetensors, a folder for TensorFlow.js; nothing that is there is overwritten.
 * @throws {CommandError} that says what to do.
 */
export async function exportModel(
  { coordinator, task }: { readonly coordinator: string; readonly task: string },
  signed: SignedManifest,
  { format, out }: { readonly format: ExportFormat; readonly out: string },
): Promise<Exported> {
  if (existsSync(out)) throw new CommandError(`${out} is there already, and nothing is overwritten.`);
  const downloads = openDownloads(coordinator, fetch, nodeCrypto);
  const info = await downloads.task(task);
  const { hash } = signed;
  const manifest = checkedManifest(signed, info);
  if (!signed.kept)
    throw new CommandError(
      `The checkpoint of round ${manifest.round} is kept no longer: the coordinator keeps the newest (keepCheckpoints) and those on channels.`,
      EXIT.failed,
    );
  const checkpoint = await downloads.blob(manifest.modelHash);
  const { coordinatorKey } = info;
  const word = `${JSON.stringify({ hash, manifest, signature: signed.signature, coordinatorKey }, null, 2)}\n`;
  const files =
    format === 'safetensors'
      ? new Map<string, Uint8Array | string>([
          [out, checkpoint],
          [`${out}.manifest.json`, word],
        ])
      : new Map<string, Uint8Array | string>([
          ...[...(await layersOf(checkpoint, manifest.layoutHash, info))].map(
            ([name, bytes]) => [join(out, name), bytes] as const,
          ),
          [join(out, 'manifest.json'), word],
        ]);
  await mkdir(format === 'tfjs' ? out : dirname(out), { recursive: true });
  for (const [path, bytes] of files) await writeFile(path, bytes, { flag: 'wx' });
  return { format, files: [...files.keys()], hash, round: manifest.round };
}

/** The manifest, if it is what its hash names and the coordinator signed. */
function checkedManifest({ hash, manifest, signature }: SignedManifest, { coordinatorKey }: TaskInfo) {
  const decoded = decodeManifest(manifest);
  const digest = manifestDigest(decoded, nodeCrypto);
  const key = fromHex(coordinatorKey);
  if (toHex(digest) !== hash || !nodeCrypto.verify(digest, fromHex(signature), key))
    throw new CommandError(
      'The manifest is not signed by this coordinator; nothing was written.',
      EXIT.failed,
    );
  return decoded;
}

async function layersOf(
  checkpoint: Uint8Array,
  layoutHash: string,
  info: TaskInfo,
): Promise<ReadonlyMap<string, Uint8Array>> {
  if (layoutHash !== info.layoutHash)
    throw new CommandError('This model is of a catalogue before the one now: export it as safetensors.');
  const model = createModel(decodeModelConfig(info.model), info.items);
  const { shared } = decodeCheckpoint(checkpoint, model.layout);
  const { tf } = await openNodeTensorflow();
  return layersFiles(tf, model, shared);
}
