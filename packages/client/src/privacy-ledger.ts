import { DecodeError, utf8 } from '@tutti/base';
import { checkedEpsilon } from './own-epsilon.ts';
import type { DeviceLedger, Part } from './part.ts';
import type { ClientStore } from './ports.ts';

/**
 * The ledger that a device keeps of itself: it counts what its own data went into, whatever the coordinator counts.
 *
 * A part is counted before the input leaves: one without masks for good, since nothing that follows changes it; a masked one with the fewest survivors that its noise was meant for. It counts for as many
 * as there were once the coordinator names them in a list that the device accepts. It no longer counts where a curious coordinator
 * ended the attempt before anybody could answer an unmask request; one that lies is not believed, so in active mode it stays.
 */
export interface PrivacyLedger {
  readonly state: DeviceLedger;
  /** Counts a part; durable before it resolves. A masked part that is counted again replaces itself. */
  charge(part: Part): Promise<void>;
  /** The attempt's sum is over so many members of this device's group; never fewer than were counted. */
  survived(attempt: number, survivors: number): Promise<void>;
  /** Nothing of the attempt was released. */
  release(attempt: number): Promise<void>;
}

/** A ledger of nothing. */
export const EMPTY_DEVICE_LEDGER: DeviceLedger = { v: 1, open: [], closed: [], lastRound: 0 };

/** Key in the store. */
const NAME = 'privacy-ledger';

/** Parts that wait for their attempt's end; older ones are taken to have released what they might. */
const MOST_OPEN = 16;

/** Opens the ledger that a store holds. @throws {DecodeError} where what it holds is none. */
export async function openPrivacyLedger(store: ClientStore): Promise<PrivacyLedger> {
  let state = decodeLedger(await store.get(NAME));
  async function keep(next: DeviceLedger): Promise<void> {
    await store.set(NAME, utf8(JSON.stringify(next)));
    state = next;
  }
  const openPart = (attempt: number): Part | undefined => state.open.find((part) => part.attempt === attempt);
  return {
    get state() {
      return state;
    },
    charge: (part) => keep(charged(state, part)),
    async survived(attempt, survivors) {
      const known = openPart(attempt);
      if (known === undefined || survivors <= known.survivors) return;
      await keep({ ...state, open: state.open.with(state.open.indexOf(known), { ...known, survivors }) });
    },
    async release(attempt) {
      const known = openPart(attempt);
      if (known !== undefined) await keep({ ...state, open: state.open.filter((part) => part !== known) });
    },
  };
}

function charged(state: DeviceLedger, part: Part): DeviceLedger {
  const open = state.open.filter(({ attempt }) => attempt !== part.attempt);
  if (part.masked) open.push(part);
  const settled = part.masked ? open.splice(0, Math.max(0, open.length - MOST_OPEN)) : [part];
  return {
    ...state,
    open,
    closed: settled.reduce(closedWith, state.closed),
    lastRound: part.purpose === 'train' ? Math.max(state.lastRound, part.round) : state.lastRound,
  };
}

function closedWith(closed: DeviceLedger['closed'], part: Part): DeviceLedger['closed'] {
  const kept: Part = { ...part, attempt: 0, round: 0 };
  const name = JSON.stringify(kept);
  const at = closed.findIndex((known) => JSON.stringify(known.part) === name);
  const known = closed[at];
  return known === undefined
    ? [...closed, { part: kept, times: 1 }]
    : closed.with(at, { ...known, times: known.times + 1 });
}

function decodeLedger(bytes: Uint8Array | undefined): DeviceLedger {
  if (bytes === undefined) return EMPTY_DEVICE_LEDGER;
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes)) as DeviceLedger;
    if (value.v !== 1 || !Number.isSafeInteger(value.lastRound))
      throw new DecodeError(NAME, 'has no version');
    checkedEpsilon(value);
    return value;
  } catch (cause) {
    throw new DecodeError(NAME, 'is not a ledger of this version', { cause });
  }
}
