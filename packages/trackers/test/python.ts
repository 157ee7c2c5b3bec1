import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Where `npm run trackers-python` puts TensorBoard and MLflow, for the tests against the real ones. */
const FOLDER = join(import.meta.dirname, '../../../node_modules/.cache/trackers-python');

/** How Python is run, so that it finds them. */
export const pythonEnvironment: NodeJS.ProcessEnv = {
  ...process.env,
  PYTHONPATH: FOLDER,
};

/** Whether Python has this module there; said loudly where not. */
export function hasModule(name: string): boolean {
  const { status } = spawnSync(
    'python3',
    ['-c', `import importlib.util,sys;sys.exit(importlib.util.find_spec(${JSON.stringify(name)}) is None)`],
    {
      env: pythonEnvironment,
    },
  );
  if (status !== 0)
    console.warn(`SKIPPED: the test against the real ${name} needs it (npm run trackers-python)`);
  return status === 0;
}
