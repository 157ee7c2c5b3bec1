import { pathText, type Path } from './paths.ts';

/** Configurations come from several places: a file, the environment, the command line. What comes later wins. */

/** One value, where it goes, and where it came from. */
export interface Assignment {
  readonly path: Path;
  readonly value: unknown;
  /** As it is told: `tutti.config.json`, `TUTTI_LISTEN_PORT`, `--port`. */
  readonly origin: string;
}

/** A configuration put together, and where each of its values came from. */
export interface Merged {
  readonly value: unknown;
  /** The origin of the value at a path: its own, or that of what it is a part of; undefined for a default. */
  originOf(path: Path): string | undefined;
  /** The same, of a value that is in force: undefined too for a default in an object that somebody wrote. */
  originInForce(path: Path): string | undefined;
}

/** Where a value came from, or an object that has others in it. */
interface Origin {
  readonly name: string;
  /** The later one wins. */
  readonly order: number;
  readonly isObject: boolean;
}

const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Whether a name would reach what all objects share: nothing in a configuration has it. */
export const isForbidden = (name: string | number): boolean => FORBIDDEN.has(String(name));

/** Where such names stand in what somebody wrote; nothing below them is read. */
export function forbiddenIn(value: unknown, path: Path = []): Path[] {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const own = isObject ? Object.keys(value).filter(isForbidden) : [];
  const below = (partsOf(value) ?? []).flatMap(([name, part]) => forbiddenIn(part, [...path, name]));
  return [...own.map((name) => [...path, name]), ...below];
}

/** Every value of `value` by itself; a list of plain values is one value, and so is what has nothing in it. */
export function assignmentsOf(value: unknown, origin: string, path: Path = []): Assignment[] {
  const parts = partsOf(value);
  if (parts === undefined || (parts.length === 0 && path.length > 0)) return [{ path, value, origin }];
  return parts.flatMap(([name, part]) => assignmentsOf(part, origin, [...path, name]));
}

/** The named parts of an object or of a list of objects; undefined for what is taken whole. */
export function partsOf(value: unknown): (readonly [name: string | number, part: unknown])[] | undefined {
  if (Array.isArray(value)) {
    const isPlain = value.every((part) => typeof part !== 'object' || part === null);
    return isPlain ? undefined : value.map((part: unknown, index) => [index, part] as const);
  }
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).filter(([name]) => !isForbidden(name));
}

/** Puts assignments together, the later ones over the earlier. */
export function mergeSources(assignments: readonly Assignment[]): Merged {
  const origins = new Map<string, Origin>();
  let value: unknown = {};
  for (const [order, { path, value: part, origin: name }] of assignments.entries()) {
    value = withValue(value, path, part);
    const isObject = partsOf(part) !== undefined;
    for (const below of isObject ? assignmentsOf(part, name, path) : [])
      origins.set(pathText(below.path), { name, order, isObject: partsOf(below.value) !== undefined });
    origins.set(pathText(path), { name, order, isObject });
  }
  /** The last that gave a value or what it is a part of, and whether it gave the value itself. */
  function lastOf(path: Path): { origin: Origin; isOwn: boolean } | undefined {
    let last: { origin: Origin; isOwn: boolean } | undefined;
    for (let length = path.length; length > 0; length--) {
      const origin = origins.get(pathText(path.slice(0, length)));
      if (origin !== undefined && origin.order > (last?.origin.order ?? -1))
        last = { origin, isOwn: length === path.length };
    }
    return last;
  }
  return {
    value,
    originOf: (path) => lastOf(path)?.origin.name,
    originInForce(path) {
      const last = lastOf(path);
      return last === undefined || (last.origin.isObject && !last.isOwn) ? undefined : last.origin.name;
    },
  };
}

function withValue(whole: unknown, [name, ...rest]: Path, value: unknown): unknown {
  if (name === undefined) return value;
  if (typeof name === 'number') {
    const list: unknown[] = Array.isArray(whole) ? [...(whole as unknown[])] : [];
    list[name] = withValue(list[name], rest, value);
    // Places in between that nobody named are there, and told as missing.
    return Array.from(list);
  }
  const object = typeof whole === 'object' && whole !== null && !Array.isArray(whole) ? whole : {};
  return { ...object, [name]: withValue((object as Record<string, unknown>)[name], rest, value) };
}
