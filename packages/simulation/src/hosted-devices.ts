import type { DeclineReason, RoundDescription } from '@tutti/protocol';
import { attemptOf, fallsSilent } from './dropout.ts';
import type {
  Answer,
  ContributionRequest,
  Declining,
  Delivery,
  ThreadAnswers,
  ThreadSetup,
} from './thread.ts';
import { uploadBytes } from './upload-bytes.ts';

/** What a plain attempt shows of keys. */
const NO_BUNDLE = new Uint8Array(0);

/** Asks a thread to train members of an attempt. @returns those who gave nothing. */
export type AskContributions = (
  thread: number,
  request: ContributionRequest,
) => Promise<readonly Declining[]>;

/**
 * Answers for devices of plain attempts, which are told nothing: here is said that they are there, or why they take no part, and their
 * threads only train them for the sums. The coordinator hears what it would hear of them, and the sums are the same; what a device does with messages takes as long
 * as training.
 */
export function hostedDevices(
  { seed, dropout }: Pick<ThreadSetup, 'seed' | 'dropout'>,
  refusalOf: (description: RoundDescription) => DeclineReason | undefined,
  ask: AskContributions,
): (thread: number, deliveries: readonly Delivery[]) => Promise<ThreadAnswers['deliver']> {
  /** Of the newest attempt; what is still asked for an older one, nobody answers. */
  let description: RoundDescription | undefined;
  /** What all say to it who are there: one and the same, for all ask the same of a round. */
  let said: readonly Answer[] = [];

  async function contributed(thread: number, members: ContributionRequest['members']): Promise<Answered[]> {
    if (description === undefined || members.length === 0) return [];
    const { attempt, lanes, wordBits } = description;
    const declining = await ask(thread, { kind: 'contribute', description, members });
    const reasons = new Map(declining.map(({ user, reason }) => [user, reason]));
    const added: readonly Answer[] = [
      { type: 'input-added', attempt, bytes: uploadBytes(lanes.length, wordBits) },
    ];
    return members.map(([user]) => {
      const reason = reasons.get(user);
      return { user, answers: reason === undefined ? added : [{ type: 'decline', attempt, reason }] };
    });
  }

  return async (thread, deliveries) => {
    const answered: Answered[] = [];
    const members: [user: number, group: number][] = [];
    for (const { user, message } of deliveries) {
      const attempt = attemptOf(message);
      if (fallsSilent(seed, dropout, attempt, user, message.type, 'plain')) continue;
      if (message.type === 'describe') {
        if (attempt !== description?.attempt) {
          const reason = refusalOf(message.description);
          said =
            reason === undefined
              ? [{ type: 'advertise-keys', attempt, bundle: NO_BUNDLE }]
              : [{ type: 'decline', attempt, reason }];
        }
        ({ description } = message);
        answered.push({ user, answers: said });
      }
      if (message.type === 'relay-shares' && attempt === description?.attempt)
        members.push([user, message.group]);
    }
    return [...answered, ...(await contributed(thread, members))];
  };
}

type Answered = ThreadAnswers['deliver'][number];
