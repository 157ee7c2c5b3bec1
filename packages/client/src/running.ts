import { wipe } from '@tutti/base';
import type { CoordinatorMessage, RoundDescription } from '@tutti/protocol';
import { abandon, type ClientPhase, type QuantizedInput, type RoundDigest } from '@tutti/secure-aggregation';
import type { DeviceMessage } from './ports.ts';

/** An attempt that this device takes part in. Its secrets are in memory only, so a restart ends it. */
export interface Running {
  readonly description: RoundDescription;
  readonly digest: RoundDigest;
  /** Undefined in a plain attempt. */
  keys: ClientPhase | undefined;
  /** Undefined in a plain attempt. */
  input: QuantizedInput | undefined;
  /** Pages of the roster that came, in order. */
  roster: readonly Uint8Array[];
  /** Members that the coordinator named as survivors; 0 before. */
  survivors: number;
  /** The last answer, for a coordinator that asks again. */
  answered: { readonly to: CoordinatorMessage['type']; readonly messages: readonly DeviceMessage[] };
}

/** An attempt that begins: nothing is known yet but its description. */
export const beginRunning = (description: RoundDescription, digest: RoundDigest): Running => ({
  description,
  digest,
  keys: undefined,
  input: undefined,
  roster: [],
  survivors: 0,
  answered: { to: 'describe', messages: [] },
});

/** Keeps the newest answer, and wipes the one before: nobody asks for it any more, its phase is over. */
export function remember(
  running: Running,
  to: CoordinatorMessage['type'],
  messages: readonly DeviceMessage[],
): readonly DeviceMessage[] {
  wipeAnswers(running.answered.messages);
  running.answered = { to, messages };
  return messages;
}

/** Wipes every secret of an attempt. */
export function endRunning({ keys, input, answered }: Running): void {
  if (keys !== undefined) abandon(keys);
  if (input !== undefined) wipe(input);
  wipeAnswers(answered.messages);
}

/** Wipes answers that opened something of an update: the masked input, and shares. */
function wipeAnswers(messages: readonly DeviceMessage[]): void {
  for (const message of messages) {
    if (message.type === 'masked-input') wipe(message.words);
    if (message.type === 'unmask') wipe(message.shares);
  }
}
