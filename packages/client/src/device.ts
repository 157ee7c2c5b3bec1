import { assertNever, concatBytes, fromHex, given, type LocalOnly, wipe } from '@tutti/base';
import {
  graphRules,
  phaseDigest,
  roundDigest,
  type CoordinatorMessage,
  type CoordinatorMessageOf,
  type RoundDescription,
  type RoundAbortReason,
} from '@tutti/protocol';
import {
  advertiseKeys,
  answerSigned,
  answerUnmask,
  enterCohort,
  maskInput,
  shareKeys,
  signSurvivors,
  smallestGroup,
  type ClientEntered,
  type Member,
  type RoundDigest,
} from '@tutti/secure-aggregation';
import { contribute, type Trained } from './contribution.ts';
import { Declined, reasonOf } from './declined.ts';
import { privacyOf, type DevicePrivacy } from './device-privacy.ts';
import { DeviceRecord } from './device-record.ts';
import { budgetReason, declineReason, ownDeltaVariance } from './policy.ts';
import { partOf } from './part.ts';
import { openPrivacyLedger, type PrivacyLedger } from './privacy-ledger.ts';
import type { DeviceMessage, DeviceOptions } from './ports.ts';
import { beginRunning, endRunning, remember, type Running } from './running.ts';
import { Vetting } from './vetting.ts';
import type { OpenTable } from './slice.ts';
import { openTable, personVector } from './table.ts';

/** One device: the client's side of every attempt, message in, messages out. */
export interface Device {
  /**
   * What this device says to a message. A repeated message gets the same answer; one that does not belong gets none.
   * Everything that must not be accepted ends in a `decline` with its reason, and the attempt's secrets are wiped.
   */
  handle(message: CoordinatorMessage): Promise<readonly DeviceMessage[]>;
  /** The person's vector, fitted to what of the table is here: what ranks. It stays on the device. */
  vector(table: OpenTable): Promise<LocalOnly<Float32Array>>;
  /** Ends a running attempt and wipes its secrets. */
  leave(): void;
  /** What taking part has cost this device so far, by its own count. */
  privacy(): Promise<DevicePrivacy>;
}

/** Creates the device of one person for one task. */
export function createDevice(options: DeviceOptions): Device {
  return new ClientDevice(options);
}

/** Ends of an attempt that a curious coordinator may come to with enough answers of others to open the sum. */
const MAY_HAVE_OPENED: ReadonlySet<RoundAbortReason> = new Set([
  'unrecoverable-masks',
  'coordinator-restarted',
  'task-stopped',
  'internal-error',
]);

/** What a plain attempt shows of keys. */
const NO_BUNDLE = new Uint8Array(0);

class ClientDevice implements Device {
  #running: Running | undefined;
  #ledger: Promise<PrivacyLedger> | undefined;
  readonly #coordinatorKey: Uint8Array;
  readonly #vetting: Vetting;
  readonly #record: DeviceRecord;

  constructor(private readonly options: DeviceOptions) {
    this.#coordinatorKey = fromHex(options.task.coordinatorKey, 'coordinatorKey', 32);
    this.#vetting = new Vetting(options);
    this.#record = new DeviceRecord(options.store, options.model.localLength);
  }

  async handle(message: CoordinatorMessage): Promise<readonly DeviceMessage[]> {
    if (message.type === 'challenge') return [];
    const attempt = message.type === 'describe' ? message.description.attempt : message.attempt;
    const running = this.#running?.description.attempt === attempt ? this.#running : undefined;
    if (running?.answered.to === message.type && message.type !== 'outcome') return running.answered.messages;
    try {
      return await this.#answer(message, running);
    } catch (error) {
      this.leave();
      return [{ type: 'decline', attempt, reason: reasonOf(error) }];
    }
  }

  leave(): void {
    const running = this.#running;
    this.#running = undefined;
    if (running !== undefined) endRunning(running);
  }

  async privacy(): Promise<DevicePrivacy> {
    return privacyOf((await this.#openLedger()).state, this.options.policy);
  }

  #openLedger(): Promise<PrivacyLedger> {
    return (this.#ledger ??= openPrivacyLedger(this.options.store));
  }

  vector(table: OpenTable): Promise<LocalOnly<Float32Array>> {
    return personVector(this.options, this.#record, table);
  }

  async #answer(
    message: Exclude<CoordinatorMessage, { type: 'challenge' }>,
    running: Running | undefined,
  ): Promise<readonly DeviceMessage[]> {
    switch (message.type) {
      case 'describe':
        return this.#take(message.description, message.signature);
      case 'roster':
        return running === undefined ? [] : this.#share(running, message);
      case 'nonces':
        return running === undefined ? [] : this.#shareOnGraph(running, message);
      case 'relay-shares':
        return running === undefined ? [] : this.#mask(running, message);
      case 'survivors':
        return running === undefined ? [] : this.#survivors(running, message);
      case 'survivor-signatures':
        return running === undefined ? [] : this.#unmaskSigned(running, message);
      case 'outcome':
        if (running !== undefined) this.leave();
        await this.#settle(message);
        return [];
      default:
        return assertNever(message);
    }
  }

  /** Phase 0 and 1: checks the description, trains, and shows this attempt's keys. */
  async #take(description: RoundDescription, signature: Uint8Array): Promise<readonly DeviceMessage[]> {
    const { crypto, policy, task, random } = this.options;
    const digest = roundDigest(description, crypto);
    this.#checkSignature('describe', digest, [], signature);
    const { state } = await this.#openLedger();
    const refusal =
      declineReason(policy, task, description, await this.#record.lastAttempt()) ??
      budgetReason(policy, description, state);
    if (refusal !== undefined) throw new Declined(refusal);
    this.leave();
    await this.#record.entered(description.attempt);
    const token = await this.#vetting.enter(description);
    const table = await openTable(this.options, description);
    const running = beginRunning(description, digest);
    // From here on the attempt owns what it comes to, and wipes it when anything below fails.
    this.#running = running;
    const secure = description.protection === 'secure';
    if (secure) running.input = (await this.#train(running, table))?.input;
    if (this.#running !== running) return [];
    const shown = given({ token });
    const keys = secure
      ? advertiseKeys({ roundDigest: digest, identity: this.options.identity, random, crypto, ...shown })
      : undefined;
    running.keys = keys?.state;
    return remember(running, 'describe', [
      { type: 'advertise-keys', attempt: description.attempt, bundle: keys?.bundle ?? NO_BUNDLE },
    ]);
  }

  /** This attempt's integers; the vector that came of them is kept. Nothing where the attempt ended meanwhile. */
  async #train(running: Running, table: OpenTable): Promise<Trained | undefined> {
    const { description } = running;
    const trained = await contribute(this.options, description, table, await this.#record.vector());
    if (this.#running !== running) {
      wipe(trained.input);
      return undefined;
    }
    if (description.purpose === 'train') await this.#record.keepVector(trained.local);
    return trained;
  }

  /** Phase 2: the roster, page by page; its last page is answered with the shares, or on a sparse graph with the nonce. */
  async #share(running: Running, message: CoordinatorMessageOf<'roster'>): Promise<readonly DeviceMessage[]> {
    const { attempt, page, pages, bundles } = message;
    this.#checkPhase(running, message, [Uint8Array.of(page, pages), bundles]);
    if (running.keys?.phase !== 'advertised') return [];
    if (page === 0) running.roster = [];
    // A page that came before its time is of no use: all are sent again to whoever asks anew.
    if (page !== running.roster.length) return [];
    running.roster = [...running.roster, bundles];
    if (page + 1 < pages) return [];
    const { description } = running;
    // The noise of the description is enough for groups of the size that it announces, not for smaller ones.
    const smallestCohort = Math.max(2, this.options.policy.smallestCohort, smallestGroup(description.cohort));
    const rules = { ...graphRules(description), smallestCohort };
    const { state, nonce } = enterCohort(running.keys, concatBytes(...running.roster), rules);
    running.keys = state;
    running.roster = [];
    if (nonce !== undefined) return remember(running, 'roster', [{ type: 'reveal-nonce', attempt, nonce }]);
    return this.#shareWith(running, state, 'roster');
  }

  /** Phase 2 on a sparse graph, which everybody's nonces decide. */
  async #shareOnGraph(
    running: Running,
    message: CoordinatorMessageOf<'nonces'>,
  ): Promise<readonly DeviceMessage[]> {
    this.#checkPhase(running, message, [message.nonces]);
    if (running.keys?.phase !== 'entered') return [];
    return this.#shareWith(running, running.keys, 'nonces', message.nonces);
  }

  /** Seals the shares, and lets them go only once everybody who would get one is vetted. */
  async #shareWith(
    running: Running,
    entered: ClientEntered,
    to: 'roster' | 'nonces',
    nonces?: Uint8Array,
  ): Promise<readonly DeviceMessage[]> {
    const { description } = running;
    const neighbours: Member[] = [];
    const { state, shares } = shareKeys(entered, nonces, (member) => void neighbours.push(member));
    running.keys = state;
    await this.#vetting.vet(description, neighbours);
    if (this.#running !== running) return [];
    return remember(running, to, [{ type: 'share-keys', attempt: description.attempt, shares }]);
  }

  /** Phase 3. In a plain attempt the integers go as they are. What leaves is counted before it does. */
  async #mask(
    running: Running,
    message: CoordinatorMessageOf<'relay-shares'>,
  ): Promise<readonly DeviceMessage[]> {
    this.#checkPhase(running, message, [message.shares]);
    const { description } = running;
    const { wordBits } = description;
    const secure = description.protection === 'secure';
    if (secure && running.keys?.phase !== 'shared') return [];
    const ledger = await this.#openLedger();
    const part = partOf(description, ownDeltaVariance(this.options.policy, description));
    await ledger.charge(part);
    await this.options.onLeaving?.(part);
    if (!secure) return this.#sendPlain(running);
    if (running.keys?.phase !== 'shared' || running.input === undefined) return [];
    const { state, masked } = maskInput(running.keys, message.shares, running.input);
    running.keys = state;
    wipe(running.input);
    return remember(running, 'relay-shares', [
      { type: 'masked-input', attempt: message.attempt, words: masked, wordBits },
    ]);
  }

  /** Of a plain attempt nothing is kept in between: it trains when its integers are asked for. */
  async #sendPlain(running: Running): Promise<readonly DeviceMessage[]> {
    const { attempt, wordBits } = running.description;
    const trained = await this.#train(running, await openTable(this.options, running.description));
    if (trained === undefined) return [];
    const { input: words, ranges } = trained;
    return remember(running, 'relay-shares', [
      { type: 'masked-input', attempt, words, ...given({ ranges }), wordBits },
    ]);
  }

  /** Phase 4 in active mode: sign who survived. Otherwise phase 5: answer. */
  async #survivors(
    running: Running,
    message: CoordinatorMessageOf<'survivors'>,
  ): Promise<readonly DeviceMessage[]> {
    const { attempt, survivors } = message;
    this.#checkPhase(running, message, [survivors]);
    if (running.keys?.phase !== 'masked') return [];
    checkEnoughForNoise(running.description, survivors);
    running.survivors = bitsOf(survivors);
    if (running.description.mode === 'active') {
      const { state, signature } = signSurvivors(running.keys, survivors, this.options.identity.secretKey);
      running.keys = state;
      return remember(running, 'survivors', [{ type: 'sign-survivors', attempt, signature }]);
    }
    await this.#answerOnce(attempt);
    const { state, reply } = answerUnmask(running.keys, survivors);
    running.keys = state;
    const answer = remember(running, 'survivors', [{ type: 'unmask', attempt, shares: reply }]);
    await this.#countSurvivors(running);
    return answer;
  }

  /** Phase 5 in active mode. */
  async #unmaskSigned(
    running: Running,
    message: CoordinatorMessageOf<'survivor-signatures'>,
  ): Promise<readonly DeviceMessage[]> {
    this.#checkPhase(running, message, [message.signatures]);
    if (running.keys?.phase !== 'signed') return [];
    await this.#answerOnce(message.attempt);
    const { state, reply } = answerSigned(running.keys, message.signatures);
    running.keys = state;
    const answer = remember(running, 'survivor-signatures', [
      { type: 'unmask', attempt: message.attempt, shares: reply },
    ]);
    await this.#countSurvivors(running);
    return answer;
  }

  /**
   * The device's own ledger counts as many survivors as there are, once they were checked: a list that is refused says nothing, while
   * others may still open the sum.
   */
  async #countSurvivors({ description: { attempt }, survivors }: Running): Promise<void> {
    await (await this.#openLedger()).survived(attempt, survivors);
  }

  /** That it answers is stored before the answer leaves: a second U3 gets nothing, also after a restart. */
  async #answerOnce(attempt: number): Promise<void> {
    if ((await this.#record.lastAnswered()) >= attempt) throw new Declined('already-answered');
    await this.#record.answered(attempt);
  }

  /**
   * The attempt is over. A part no longer counts where a coordinator that follows the protocol could not open the sum, and this
   * device helped nobody to. In active mode the coordinator is not believed, and every part counts that was sent.
   */
  async #settle(message: Extract<CoordinatorMessage, { type: 'outcome' }>): Promise<void> {
    const ledger = await this.#openLedger();
    const part = ledger.state.open.find(({ attempt }) => attempt === message.attempt);
    if (part === undefined || !part.masked || part.mode === 'active' || message.outcome === 'committed')
      return;
    if (message.outcome === 'aborted' && MAY_HAVE_OPENED.has(message.reason)) return;
    // A measurement ends as "not included" for everybody, those in its sum too.
    if (message.outcome === 'not-included' && part.purpose === 'evaluate') return;
    if ((await this.#record.lastAnswered()) < message.attempt) await ledger.release(message.attempt);
  }

  /** A message of a phase is signed over its group and body. */
  #checkPhase(
    running: Running,
    message: { readonly type: string; readonly group: number; readonly signature: Uint8Array },
    body: readonly Uint8Array[],
  ): void {
    this.#checkSignature(message.type, running.digest, [u16(message.group), ...body], message.signature);
  }

  #checkSignature(
    type: string,
    digest: RoundDigest,
    body: readonly Uint8Array[],
    signature: Uint8Array,
  ): void {
    const { crypto } = this.options;
    if (!crypto.verify(phaseDigest(type, digest, body, crypto), signature, this.#coordinatorKey))
      throw new Declined('bad-signature');
  }
}

/** Members that a bitmap names. */
const bitsOf = (bitmap: Uint8Array): number =>
  bitmap.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);

/** Fewer survivors than the noise was meant for get no answer. */
function checkEnoughForNoise({ noise }: RoundDescription, bitmap: Uint8Array): void {
  if (noise.mechanism === 'skellam' && bitsOf(bitmap) < noise.survivors)
    throw new Declined('too-few-survivors');
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >>> 8);
