import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '@tutti/base';
import { CommandError, EXIT } from '../exit-codes.ts';

/** Whether a report can be written there, before there is anything to write. @throws {CommandError} that says why not. */
export async function checkReport(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory() === true)
    throw new CommandError(`--report ${path}: is a folder; a file is needed`);
  const target = there === undefined ? dirname(path) : path;
  await access(target, constants.W_OK).catch((cause: unknown) => {
    throw new CommandError(`--report ${path}: cannot be written: ${reasonOf(target, cause)}`, EXIT.usage, {
      cause,
    });
  });
}

function reasonOf(target: string, cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') return `there is no folder ${target}`;
  if (code === 'EACCES' || code === 'EROFS') return `${target} may not be written to`;
  return messageOf(cause);
}

/** Writes the page, after figures are told: they are not lost where it fails. @throws {CommandError} that says why. */
export async function writeReport(path: string | undefined, page: () => string): Promise<void> {
  if (path === undefined) return;
  await writeFile(path, page()).catch((cause: unknown) => {
    throw new CommandError(`--report ${path}: cannot be written: ${messageOf(cause)}`, EXIT.failed, {
      cause,
    });
  });
}
