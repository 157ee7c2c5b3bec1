import {
  applyEntry,
  decodeJournalEntry,
  EMPTY_HISTORY,
  Registry,
  type CoordinationOptions,
  type TaskConfig,
  type TaskHistory,
} from '@tutti/coordination';
import type { KeyPair } from '@tutti/secure-aggregation';
import type { GatewayTask } from './gateway-task.ts';

/** The models of a task that another process runs: read from its journal, and changed by its owner. */
export function gatewayRegistry(
  { name, promotion: policy }: Pick<TaskConfig, 'name' | 'promotion'>,
  task: GatewayTask,
  { crypto, blobs, store }: Pick<CoordinationOptions, 'crypto' | 'blobs' | 'store'>,
  keyPair: KeyPair,
): Registry {
  let known: { readonly of: string; readonly history: TaskHistory } | undefined;
  /** What the owner last told of it: while that is the same, the journal has no other models, promotions and looks. */
  const told = (): string => {
    const { info, looks, status } = task.view;
    const { round = 0, modelHash = '', promotions = 0 } = info ?? {};
    // Word of a look may have been lost; each is an attempt.
    const trial = policy === undefined ? '' : `${looks} ${status?.attempt ?? 0}`;
    return `${round} ${modelHash} ${promotions} ${trial}`;
  };
  return new Registry({
    ...{ task: name, policy, crypto, blobs, keyPair },
    async history() {
      const of = told();
      if (known?.of === of) return known.history;
      const entries = await store.readJournal(name);
      const history = entries.map(decodeJournalEntry).reduce(applyEntry, EMPTY_HISTORY);
      known = { of, history };
      return history;
    },
    async change(request) {
      const refused = await task.changeChannel(request);
      known = undefined;
      return refused;
    },
  });
}
