import { join } from 'node:path';
import { UsageError } from '@tutti/base';
import { jsonlTracker } from './jsonl.ts';
import { mlflowTracker } from './mlflow.ts';
import { tensorboardTracker } from './tensorboard.ts';
import type { RunName, Tracker } from './tracker.ts';

/** What an address of a tracker looks like. */
export const TRACKER_EXPECTED =
  'jsonl:FOLDER, tensorboard:FOLDER or mlflow:http://HOST:5000, with ?experiment=NAME if it has a name of its own and its password in MLFLOW_TRACKING_PASSWORD, is expected';

/** Experiment of MLflow unless the address names one. */
const EXPERIMENT = 'tutti';

type Parsed =
  | { readonly kind: 'jsonl' | 'tensorboard'; readonly folder: string }
  | { readonly kind: 'mlflow'; readonly url: string; readonly experiment: string };

/** Whether a text is the address of a tracker. */
export const isTrackerAddress = (address: string): boolean => parsed(address) !== undefined;

function parsed(address: string): Parsed | undefined {
  const [, kind, rest] = /^(jsonl|tensorboard|mlflow):(.+)$/.exec(address) ?? [];
  if (rest === undefined) return undefined;
  if (kind !== 'mlflow') return { kind: kind as 'jsonl' | 'tensorboard', folder: rest };
  if (!URL.canParse(rest)) return undefined;
  const url = new URL(rest);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  // A password would stand in messages; it comes from the environment.
  if (url.username !== '' || url.password !== '') return undefined;
  return {
    kind: 'mlflow',
    url: url.origin + url.pathname,
    experiment: url.searchParams.get('experiment') ?? EXPERIMENT,
  };
}

/** What is not in an address. */
export interface TrackerSecrets {
  /** Value of MLflow's `Authorization` header. */
  readonly authorization?: string;
}

/** `Authorization` of MLflow by its own variables: a token, or a name and a password. */
export function mlflowSecrets(environment: Readonly<Record<string, string | undefined>>): TrackerSecrets {
  const {
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: password = '',
  } = environment;
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  if (user === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

/**
 * Opens a tracker by its address: `jsonl:FOLDER` keeps `FOLDER/NAME.jsonl`, `tensorboard:FOLDER` event files in `FOLDER/NAME`,
 * `mlflow:URL` a run of this name.
 * @throws {UsageError} for what is no such address. @throws {TrackerError} if it cannot be opened.
 */
export async function openTracker(
  address: string,
  run: RunName,
  { authorization }: TrackerSecrets = {},
): Promise<Tracker> {
  const found = parsed(address);
  if (found === undefined) throw new UsageError(`${address} is no tracker: ${TRACKER_EXPECTED}`);
  switch (found.kind) {
    case 'jsonl':
      return jsonlTracker({ file: join(found.folder, `${run.name}.jsonl`) });
    case 'tensorboard':
      return tensorboardTracker({ folder: join(found.folder, run.name) });
    case 'mlflow':
      return mlflowTracker({
        ...{ url: found.url, experiment: found.experiment, run },
        ...(authorization === undefined ? {} : { authorization }),
      });
  }
}
