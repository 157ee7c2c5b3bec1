/**
 * How `npm test` runs all tests on two cores. Everything else is as in `vitest.config.ts`, which editors and single packages use.
 *
 * - The longest files begin first, so that no core waits for a last one. Without a cache, as in a fresh clone, vitest goes by size.
 * - The files of {@link SHARED} follow one another in the same processes: loading their modules takes longer than most of them run.
 */
import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';
import plain from '../vitest.config.ts';

/** Rooms whose tests leave nothing behind in their process: no input or output, or only in folders and servers of their own. */
const SHARED = [
  'packages/{base,secure-aggregation,privacy,model,aggregation,datasets,evaluation,identity}',
  'packages/{protocol,coordination,client,server,authority,client-node,client-browser,audit}',
  'apps/cli',
  'test/scenarios',
].map((rooms) => `${rooms}/**/*.spec.ts`);

/** Files that take longest, longest first; see the times that `npm test` prints. */
const LONGEST = [
  'test/cli/audit',
  'test/browser/demo',
  'test/chaos/chaos',
  'test/cli/cli',
  'test/browser/rounds',
  'packages/trackers/src/real',
  'packages/engine-simd/src/browser',
  'packages/simulation/src/simulate',
  'test/cluster/takeover',
  'apps/demo/src/command',
  'test/browser/degrade',
  'test/browser/lifecycle',
  'test/cluster/simulation',
  'packages/simulation/src/slices',
  'test/browser/dashboard',
  'test/browser/interruptions',
  'test/cluster/cluster',
  'packages/simulation/src/content',
  'test/wire/operations',
  'packages/storage-postgres/src/storage',
  'packages/simulation/src/own-model',
  'test/browser/own-model',
  'test/wire/hostile',
  'packages/secure-aggregation/src/secure-sum',
  'test/scenarios/uploads',
  'packages/audit/src/lies',
  'packages/privacy/src/pld',
];

class LongestFirst extends BaseSequencer {
  async sort(files) {
    const bySize = await super.sort(files);
    const place = ({ moduleId }) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.spec.ts`));
      return at === -1 ? LONGEST.length : at;
    };
    const shared = ({ project }) => Number(project.name === 'shared');
    return bySize.sort((a, b) => shared(a) - shared(b) || place(a) - place(b));
  }
}

const project = (name, differences) => ({
  ...plain,
  test: { ...plain.test, ...differences, name },
});

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      project('alone', { exclude: [...plain.test.exclude, ...SHARED] }),
      project('shared', { include: SHARED, isolate: false }),
    ],
  },
});
