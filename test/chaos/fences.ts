import type { Servers } from '../cluster/processes.ts';

/** Every owner that a task ever had, written down by PostgreSQL itself at the moment in which its lease is taken. */
export interface Fences {
  /** Numbers of leases so far. */
  count(): Promise<number>;
  /** Numbers that more than one owner had: two of them could write. */
  twice(): Promise<number>;
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
  const numberOf = async (text: string): Promise<number> => Number((await query(store, text))[0]?.['n'] ?? 0);
  return {
    count: () => numberOf('select count(distinct (scope, epoch)) as n from public.fences'),
    twice: () =>
      numberOf(
        'select count(*) as n from (select from public.fences group by scope, epoch having count(*) > 1) as two',
      ),
  };
}
