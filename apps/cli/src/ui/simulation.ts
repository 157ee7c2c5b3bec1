import type { SimulationResult, Tuning } from '@tutti/simulation';
import { tuningLines } from '../tuning.ts';
import { qualityLines } from './quality.ts';
import { counted } from './screen.ts';

/** What a simulation found, and what it was tuned to before. */
export type Simulated = SimulationResult & { readonly tune?: Tuning };

/** The end of a simulation, in words. */
export function resultLines(result: Simulated, out: string | undefined): string[] {
  return [
    '',
    ...qualityLines({ 'this federation': result.final, ...result.baselines }),
    '',
    `${counted(result.rounds.length, 'round')} in ${result.wallSeconds.toFixed(1)} s, ${result.clientsPerSecond.toFixed(0)} clients/s · checkpoint ${result.checkpointHash.slice(0, 16)}`,
    ...ratingLines(result),
    ...(result.tune === undefined ? [] : tuningLines(result.tune)),
    ...privacyLines(result.privacy),
    ...result.notes,
    ...(out === undefined ? [] : [`report: ${out}/report.html`]),
  ];
}

/** What the noise guarantees, from both points of view. */
function privacyLines(privacy: SimulationResult['privacy']): string[] {
  if (privacy === null) return [];
  const { mechanism, noiseMultiplier, delta, epsilon, sampling, participation } = privacy;
  const capped = participation === null ? '' : `, at most ${participation.most} rounds a person`;
  const coordinator =
    epsilon.coordinator === null
      ? 'nothing holds against the coordinator, which adds the noise'
      : `ε = ${epsilon.coordinator.toFixed(3)} against a coordinator that sees who takes part`;
  return [
    `privacy of a person’s every update (one more or less), δ = ${delta}: ${coordinator}, ε = ${epsilon.readers.toFixed(3)} against readers of the model`,
    `${mechanism} noise of multiplier ${noiseMultiplier.toPrecision(5)}${sampling === null ? '' : `, each person asked with chance ${sampling.toPrecision(3)}`}${capped}`,
  ];
}

/** How far predicted ratings are from what was given; nothing for models that predict none. */
export const ratingLines = ({ rmse }: Pick<SimulationResult, 'rmse'>): string[] =>
  rmse === undefined || rmse.test === null || rmse.mean === null
    ? []
    : [
        `ratings of test items: RMSE ${rmse.test.toFixed(4)}; predicting the mean for everything ${rmse.mean.toFixed(4)}`,
      ];
