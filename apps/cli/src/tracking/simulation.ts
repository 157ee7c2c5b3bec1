import { randomUUID } from 'node:crypto';

/** What a simulation was asked for, as far as it names a run. */
interface Asked {
  readonly model: string;
  readonly seed: number;
  readonly track?: unknown;
  readonly out?: unknown;
  readonly json?: unknown;
  readonly dataset?: unknown;
  readonly workers?: number | string;
  readonly secretFile?: unknown;
}

/** Name and settings of a run for trackers: what was asked for, without folders and addresses. */
export function trackedSimulation(flags: Asked, dataset: string) {
  const {
    track: _track,
    out: _out,
    json: _json,
    dataset: _dataset,
    workers,
    secretFile: _file,
    ...rest
  } = flags;
  // An address may hold a password.
  const asked = { ...rest, ...(typeof workers === 'number' ? { workers } : {}) };
  const settings = Object.entries(asked).map(([name, value]) => [name, textOf(value)] as const);
  return {
    name: `${flags.model}-${dataset}-seed-${flags.seed}-${new Date().toISOString().replace(/[:.]/g, '-')}`,
    id: randomUUID(),
    settings: { dataset, ...Object.fromEntries(settings) },
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
