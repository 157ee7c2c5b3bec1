import type { CoordinatorConfig } from './config.ts';
import { partsOf, type Merged } from './config-sources.ts';
import { pathText, type Path } from './paths.ts';

/** One value that is in force, and where it came from. */
export interface PrintedValue {
  readonly path: string;
  readonly value: unknown;
  /** The file, the variable, the option; `default`. */
  readonly origin: string;
}

/** Longest list that is printed whole. */
const MOST_ENTRIES = 8;

/**
 * Every value of a configuration with its origin, in the order of the file. Long lists are told by their length, and what an address
 * holds of a password is not told.
 */
export function printedConfig(
  config: CoordinatorConfig,
  merged: Pick<Merged, 'originInForce'>,
): PrintedValue[] {
  return leavesOf(config, []).map(({ path, value }) => ({
    path: pathText(path),
    value: shown(value),
    origin: merged.originInForce(path) ?? 'default',
  }));
}

/** The same as lines: `listen.port = 8080    (TUTTI_LISTEN_PORT)`. */
export function printedLines(values: readonly PrintedValue[]): string[] {
  const texts = values.map(({ path, value }) => `${path} = ${JSON.stringify(value)}`);
  const width = Math.min(60, Math.max(0, ...texts.map(({ length }) => length)));
  return texts.map((text, at) => `${text.padEnd(width)}  (${values[at]?.origin ?? ''})`);
}

function leavesOf(value: unknown, path: Path): { path: Path; value: unknown }[] {
  const parts = partsOf(value);
  if (parts === undefined || parts.length === 0) return value === undefined ? [] : [{ path, value }];
  return parts.flatMap(([name, part]) => leavesOf(part, [...path, name]));
}

function shown(value: unknown): unknown {
  if (Array.isArray(value) && value.length > MOST_ENTRIES) return `${value.length} entries`;
  return typeof value === 'string' ? withoutPassword(value) : value;
}

/** An address without the password in it: `postgres://tutti:***@db/tutti`. */
export const withoutPassword = (text: string): string =>
  text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):[^/?#]*@/i, '$1:***@')
    .replace(/([?&](?:password|sslpassword|token|secret)=)[^&#]*/gi, '$1***');
