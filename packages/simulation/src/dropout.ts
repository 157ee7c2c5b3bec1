import { seededRandom } from '@tutti/base';
import type { CoordinatorMessage } from '@tutti/protocol';

/** The phase in which a simulated client falls silent. */
const SILENT_PHASES = ['train', 'share-keys', 'masked-input', 'unmask'] as const;
export type SilentPhase = (typeof SILENT_PHASES)[number];

/** The coordinator's message that a client leaves unanswered in each phase. */
const ASKS: Readonly<Partial<Record<CoordinatorMessage['type'], SilentPhase>>> = {
  describe: 'train',
  roster: 'share-keys',
  'relay-shares': 'masked-input',
  survivors: 'unmask',
};

/**
 * Whether `user` leaves `message` unanswered in this attempt. Drawn from (seed, attempt, user) alone, so a plain run
 * loses the same inputs as a masked one: who falls silent in `share-keys` sends no input in either.
 */
export function fallsSilent(
  seed: string,
  chance: number,
  attempt: number,
  user: number,
  message: CoordinatorMessage['type'],
  protection: 'plain' | 'secure',
): boolean {
  const asked = ASKS[message];
  if (chance === 0 || asked === undefined) return false;
  const random = seededRandom(seed).fork('dropout', attempt, user);
  if (random.float() >= chance) return false;
  const phase = SILENT_PHASES[random.int(SILENT_PHASES.length)];
  if (protection === 'plain' && phase === 'share-keys') return asked === 'masked-input';
  return asked === phase;
}

/** The attempt that a message is of; 0 for one that is of none. */
export const attemptOf = (message: CoordinatorMessage): number =>
  message.type === 'describe' ? message.description.attempt : 'attempt' in message ? message.attempt : 0;
