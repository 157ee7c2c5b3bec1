import { DecodeError, utf8 } from '@tutti/base';
import type { RoundDescription } from '@tutti/protocol';
import type { ClientStore } from '../ports.ts';

/** How an attempt ended that a device sent something to. */
export type ReceiptOutcome = 'committed' | 'aborted' | 'not-included' | 'left' | 'running' | 'unknown';

/** What left a device in one attempt. */
export interface Receipt {
  readonly attempt: number;
  readonly round: number;
  readonly purpose: RoundDescription['purpose'];
  /** When its update began to leave, in milliseconds since the epoch. */
  readonly at: number;
  /** Bytes of all messages of the attempt; those of an attempt that the device did not see the end of may be more. */
  readonly bytes: number;
  /** Whether masks hide the update of this device. */
  readonly masked: boolean;
  /** People in the sum, as the coordinator said; null while it is not known. */
  readonly cohort: number | null;
  /** Fewest people that the sum can be over, which the device checked. */
  readonly atLeast: number;
  /**
   * `not-included`: the sum was made without it. `left`: this device ended it, by closing or without consent. `running`: it goes on.
   * `unknown`: this device did not see the end.
   */
  readonly outcome: ReceiptOutcome;
  /** ε of everything that this device sent so far, by its own count; null where no noise bounds it. */
  readonly epsilon: number | null;
}

/** What left a device so far. */
export interface Receipts {
  /** Attempts that it sent an update to, and the bytes of everything it ever sent. */
  readonly total: { readonly updates: number; readonly bytes: number };
  /** The newest first; older ones than the last 100 count in the total only. */
  readonly list: readonly (Receipt & { readonly text: string })[];
}

/** The receipts of one device, in its store. */
export interface ReceiptBook {
  /** An update begins to leave; kept before it does. */
  begin(receipt: Omit<Receipt, 'bytes' | 'cohort' | 'outcome' | 'epsilon'>): Promise<void>;
  /** A message left. */
  sent(attempt: number | undefined, bytes: number): void;
  /** An attempt is over: what its messages came to is kept. @returns its receipt, where an update left. */
  end(attempt: number, ending: Pick<Receipt, 'cohort' | 'outcome' | 'epsilon'>): Promise<Receipt | undefined>;
  all(): Promise<Receipts>;
  /** Attempts that messages left in and that are not over. */
  running(): number[];
}

interface Kept {
  readonly v: 1;
  readonly updates: number;
  readonly bytes: number;
  readonly list: readonly Receipt[];
}

/** Key in the store. */
const RECEIPTS = 'receipts';

/** Receipts that are kept one by one. */
const MOST_KEPT = 100;

const NOTHING: Kept = { v: 1, updates: 0, bytes: 0, list: [] };

/** Opens the receipts of a store. What is damaged counts as nothing: receipts tell, and bind nobody. */
export function openReceiptBook(store: ClientStore): ReceiptBook {
  const ofAttempt = new Map<number, number>();
  let loose = 0;
  const read = async (): Promise<Kept> => decodeReceipts(await store.get(RECEIPTS));
  const asOfNow = (receipt: Receipt): Receipt => {
    const bytes = ofAttempt.get(receipt.attempt);
    return bytes === undefined || receipt.outcome !== 'unknown'
      ? receipt
      : { ...receipt, bytes, outcome: 'running' };
  };
  const keep = (kept: Kept): Promise<void> => store.set(RECEIPTS, utf8(JSON.stringify(kept)));
  return {
    async begin(receipt) {
      const kept = await read();
      const begun: Receipt = { ...receipt, bytes: 0, cohort: null, outcome: 'unknown', epsilon: null };
      const list = [begun, ...kept.list.filter(({ attempt }) => attempt !== receipt.attempt)];
      await keep({ ...kept, updates: kept.updates + 1, list: list.slice(0, MOST_KEPT) });
    },
    sent(attempt, bytes) {
      if (attempt === undefined) loose += bytes;
      else ofAttempt.set(attempt, (ofAttempt.get(attempt) ?? 0) + bytes);
    },
    async end(attempt, ending) {
      const bytes = ofAttempt.get(attempt) ?? 0;
      ofAttempt.delete(attempt);
      if (bytes === 0) return undefined;
      const kept = await read();
      const begun = kept.list.find((known) => known.attempt === attempt);
      const ended = begun === undefined ? undefined : { ...begun, ...ending, bytes: begun.bytes + bytes };
      const list = ended === undefined ? kept.list : kept.list.map((one) => (one === begun ? ended : one));
      await keep({ ...kept, bytes: kept.bytes + bytes + loose, list });
      loose = 0;
      return ended;
    },
    async all() {
      const { updates, bytes, list } = await read();
      return {
        total: { updates, bytes: bytes + loose + [...ofAttempt.values()].reduce((sum, one) => sum + one, 0) },
        list: list.map(asOfNow).map((receipt) => ({ ...receipt, text: receiptText(receipt) })),
      };
    },
    running: () => [...ofAttempt.keys()],
  };
}

function decodeReceipts(bytes: Uint8Array | undefined): Kept {
  if (bytes === undefined) return NOTHING;
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes)) as Kept;
    if (value.v !== 1 || !Array.isArray(value.list)) throw new DecodeError(RECEIPTS, 'has no version');
    return value;
  } catch {
    return NOTHING;
  }
}

/** A receipt in words that its person understands. */
export function receiptText(receipt: Receipt): string {
  const { at, bytes, masked, cohort, atLeast, outcome, purpose } = receipt;
  const day = new Date(at).toLocaleDateString('en', { weekday: 'long', day: 'numeric', month: 'long' });
  const people = cohort === null ? `at least ${atLeast} people` : `${cohort} people`;
  const what = purpose === 'train' ? 'added to' : 'answered with numbers of how well it did in';
  const left = bytes === 0 ? 'What left it was' : `${sizeText(bytes)} left it,`;
  const hidden = masked
    ? `${left} all masked. Nobody can read your likes from it.`
    : `${left} not masked: whoever runs the service can read this update.`;
  switch (outcome) {
    case 'committed':
      return `On ${day} your device ${what} a sum over ${people}. ${hidden} ${epsilonText(receipt)}`;
    case 'unknown':
      return `On ${day} your device took part in a sum over ${people}, and did not see how it ended. ${hidden}`;
    case 'running':
      return `Your device takes part in a round that goes on now. ${hidden}`;
    case 'not-included':
      return `On ${day} your device took part in a round whose sum was made without it. ${hidden}`;
    case 'left':
      return `On ${day} your device left a round that it had begun. ${hidden}`;
    default:
      return `On ${day} your device took part in a sum that was never made. ${hidden}`;
  }
}

/** Bytes as people say them. */
export function sizeText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function epsilonText({ epsilon }: Receipt): string {
  return epsilon === null
    ? 'The noise in it gives no formal guarantee.'
    : `With everything before, that has cost ε = ${epsilon.toPrecision(2)} of your privacy; less is better.`;
}
