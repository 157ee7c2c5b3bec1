import type { ClientStore } from './ports.ts';

/** A device's store that forgets with the process: for simulation and tests. */
export function memoryClientStore(): ClientStore {
  const values = new Map<string, Uint8Array>();
  const logs = new Map<string, Uint8Array[]>();
  return {
    get: async (key) => values.get(key)?.slice(),
    set: async (key, value) => void values.set(key, value.slice()),
    append: async (log, record) => void logs.set(log, [...(logs.get(log) ?? []), record.slice()]),
    readLog: async (log) => (logs.get(log) ?? []).map((record) => record.slice()),
    async clear() {
      values.clear();
      logs.clear();
    },
    close: async () => undefined,
  };
}
