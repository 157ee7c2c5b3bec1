import { keepLocal, type LocalOnly } from '@tutti/base';
import type { ClientStore } from './ports.ts';

/** Keys in the store. */
const LAST_ATTEMPT = 'last-attempt';
const UNMASK_ANSWERED = 'unmask-answered';
const VECTOR = 'vector';

/** What a device keeps of itself over restarts, beside its ledger. */
export class DeviceRecord {
  constructor(
    private readonly store: ClientStore,
    /** Numbers of a person's vector. */
    private readonly localLength: number,
  ) {}

  /** The newest attempt that it entered; 0 before the first. */
  lastAttempt(): Promise<number> {
    return this.#number(LAST_ATTEMPT);
  }

  entered(attempt: number): Promise<void> {
    return this.store.set(LAST_ATTEMPT, u32(attempt));
  }

  /** The newest attempt of which an unmask request was answered; 0 before the first. */
  lastAnswered(): Promise<number> {
    return this.#number(UNMASK_ANSWERED);
  }

  answered(attempt: number): Promise<void> {
    return this.store.set(UNMASK_ANSWERED, u32(attempt));
  }

  async vector(): Promise<LocalOnly<Float32Array> | undefined> {
    const stored = await this.store.get(VECTOR);
    if (stored === undefined || stored.length !== 4 * this.localLength) return undefined;
    const vector = new Float32Array(stored.slice().buffer);
    // A vector that is no number would never become one again.
    return vector.every(Number.isFinite) ? keepLocal(vector) : undefined;
  }

  keepVector(vector: LocalOnly<Float32Array>): Promise<void> {
    return this.store.set(VECTOR, new Uint8Array(vector.slice().buffer));
  }

  async #number(name: string): Promise<number> {
    const stored = await this.store.get(name);
    return stored === undefined ? 0 : readU32(stored);
  }
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

const readU32 = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
