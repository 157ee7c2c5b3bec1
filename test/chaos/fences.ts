import type { Servers } from '../cluster/processes.ts';

/** Every owner that a task ever had, written down by PostgreSQL itself at the moment in which its lease is taken. */
export interface Fences {
  /** Reads what is written down so far: a server that loses its last commits takes back what stands there, not what was read. */
  read(): Promise<void>;
  /** Numbers of leases that were read. */
  readonly count: number;
  /** Numbers that more than one owner had: two of them could write. */
  readonly twice: number;
}

type Query = Pick<Servers['postgres'], 'query'>;

/** Begins to write down who takes leases in a storage. */
export async function watchFences({ query }: Query, store: string): Promise<Fences> {
  await query(
    store,
    `create table public.fences (scope text, epoch integer, holder text, at timestamptz default clock_timestamp());
     create function public.note_fence() returns trigger language plpgsql as $$ begin
       insert into public.fences (scope, epoch, holder) values (new.scope, new.epoch, new.holder); return new; end $$;
     create trigger fences after insert or update of epoch, holder on tutti.leases
       for each row when (new.scope like 'task:%') execute function public.note_fence();
     insert into public.fences (scope, epoch, holder) select scope, epoch, holder from tutti.leases where scope like 'task:%'`,
  );
  const takenAt = new Map<string, Set<string>>();
  return {
    async read() {
      for (const { name, at } of await query(
        store,
        `select scope || ' ' || epoch as name, holder || ' ' || at as at from public.fences`,
      ))
        takenAt.set(String(name), (takenAt.get(String(name)) ?? new Set()).add(String(at)));
    },
    get count() {
      return takenAt.size;
    },
    get twice() {
      return [...takenAt.values()].filter(({ size }) => size > 1).length;
    },
  };
}
