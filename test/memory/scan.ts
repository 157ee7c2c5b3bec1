import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Byte patterns in the memory of a process, in files, in texts. */

export interface Pattern {
  readonly label: string;
  readonly bytes: Uint8Array;
}

/** A pattern that was found. */
export interface Found {
  readonly label: string;
  readonly where: string;
}

/** Finds any of many patterns of at least four bytes in one pass. */
export interface Finder {
  /** Calls `found` for each pattern in `bytes`. */
  search(bytes: Uint8Array, found: (pattern: Pattern) => void): void;
  readonly longest: number;
}

export function finderOf(patterns: readonly Pattern[]): Finder {
  // Two bytes decide nearly always; few places are looked at twice.
  const begins = new Uint8Array(65_536);
  const byPrefix = new Map<number, Pattern[]>();
  for (const pattern of patterns) {
    const [a, b, c, d] = pattern.bytes as unknown as [number, number, number, number];
    begins[a | (b << 8)] = 1;
    const prefix = (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
    byPrefix.set(prefix, [...(byPrefix.get(prefix) ?? []), pattern]);
  }
  return {
    longest: Math.max(...patterns.map(({ bytes }) => bytes.length)),
    search(bytes, found) {
      for (let i = 0; i + 3 < bytes.length; i++) {
        const two = (bytes[i] as number) | ((bytes[i + 1] as number) << 8);
        if (begins[two] === 0) continue;
        const prefix = (two | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24)) >>> 0;
        for (const pattern of byPrefix.get(prefix) ?? [])
          if (standsAt(pattern.bytes, bytes, i)) found(pattern);
      }
    },
  };
}

function standsAt(pattern: Uint8Array, bytes: Uint8Array, at: number): boolean {
  if (at + pattern.length > bytes.length) return false;
  for (let i = 4; i < pattern.length; i++) if (pattern[i] !== bytes[at + i]) return false;
  return true;
}

/** Each pattern as it is, in hexadecimal, and in base64. */
export function writings(patterns: readonly Pattern[]): Pattern[] {
  return patterns.flatMap(({ label, bytes }) => [
    { label, bytes },
    ...(['hex', 'base64'] as const).map((encoding) => ({
      label: `${label} (${encoding})`,
      // The last digits of base64 depend on what follows.
      bytes: Buffer.from(Buffer.from(bytes).toString(encoding).slice(0, 40), 'latin1'),
    })),
  ]);
}

const CHUNK = 4 * 1024 * 1024;

/** Everything that a process can write to: heaps, stacks, array buffers, those of its libraries. Linux, same user. */
export function searchMemory(pid: number, finder: Finder): Found[] {
  const found: Found[] = [];
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const chunk = Buffer.alloc(CHUNK + finder.longest);
  try {
    for (const { start, end, name } of writable(pid))
      for (let at = start; at < end; at += CHUNK) {
        const length = Math.min(chunk.length, end - at);
        const read = readAt(memory, chunk, length, at);
        finder.search(chunk.subarray(0, read), ({ label }) => void found.push({ label, where: name }));
      }
  } finally {
    closeSync(memory);
  }
  return found;
}

function readAt(memory: number, chunk: Buffer, length: number, at: number): number {
  try {
    return readSync(memory, chunk, 0, length, at);
  } catch {
    // A mapping that went while we looked, or a guard page.
    return 0;
  }
}

function writable(pid: number): { start: number; end: number; name: string }[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+\s*(.*)$/.exec(line);
      if (match === null) return [];
      const [, start = '', end = '', name = ''] = match;
      return [
        { start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), name: name || 'anonymous' },
      ];
    });
}

/** Every file of a folder, and of those in it. */
export function searchFiles(folder: string, finder: Finder): Found[] {
  const found: Found[] = [];
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    const path = join(folder, name);
    if (!statSync(path).isFile()) continue;
    finder.search(readFileSync(path), ({ label }) => void found.push({ label, where: name }));
  }
  return found;
}

/** What a process said. */
export function searchText(text: Uint8Array, finder: Finder): Found[] {
  const found: Found[] = [];
  finder.search(text, ({ label }) => void found.push({ label, where: 'output' }));
  return found;
}
