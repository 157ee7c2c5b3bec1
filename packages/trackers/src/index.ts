/**
 * Rounds as curves, where people look at curves: JSON lines, TensorBoard, MLflow. A tracker is told means and counts of rounds alone, which
 * everybody may see who sees the dashboard.
 *
 * ```ts
 * import { openTracker } from '@tutti/trackers';
 *
 * const tracker = await openTracker('tensorboard:./runs', { name: 'films', id: 'films' });
 * await tracker.write([{ step: 1, atMs: Date.now(), scalars: { 'quality/hr_at_10': 0.31 } }]);
 * await tracker.close('finished');
 * ```
 */
export { isTrackerAddress, mlflowSecrets, openTracker, TRACKER_EXPECTED } from './address.ts';
export type { TrackerSecrets } from './address.ts';
export { TrackerError } from './errors.ts';
export { follow } from './follow.ts';
export type { Followed, Follower } from './follow.ts';
export { jsonlTracker } from './jsonl.ts';
export { mlflowTracker } from './mlflow.ts';
export type { MlflowOptions } from './mlflow.ts';
export { tensorboardTracker } from './tensorboard.ts';
export type { Ending, Point, RunName, Tracker } from './tracker.ts';
