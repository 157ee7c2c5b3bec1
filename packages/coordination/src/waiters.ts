import type { EvaluationRecord } from './journal.ts';

/** Somebody who waits for a measurement. */
interface Waiter {
  readonly resolve: (record: EvaluationRecord) => void;
  readonly reject: (error: Error) => void;
}

/** Those who wait for the next measurement of everybody. */
export class Waiters {
  #waiting: Waiter[] = [];

  get any(): boolean {
    return this.#waiting.length > 0;
  }

  next(): Promise<EvaluationRecord> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  resolve(record: EvaluationRecord): void {
    for (const waiter of this.#waiting.splice(0)) waiter.resolve(record);
  }

  reject(error: Error): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
  }
}
