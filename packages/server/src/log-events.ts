import type { Coordination, CoordinationEvent } from '@tutti/coordination';
import { errorFields, type Log } from './log.ts';

/** Logs what tasks do. @returns how to stop. */
export function logTasks(coordination: Coordination, log: Log): () => void {
  return coordination.subscribe((event) => logEvent(event, coordination, log));
}

function logEvent(event: CoordinationEvent, coordination: Coordination, log: Log): void {
  const { task } = event;
  switch (event.type) {
    case 'progress': {
      const { attempt, phase, progress } = event.status;
      return log.write('phase', { task, attempt, phase, ...progress });
    }
    case 'committed': {
      const { modelHash: model, epsilon, ...record } = event.record;
      const spent = epsilon?.coordinator ?? epsilon?.readers ?? undefined;
      return log.write('round-committed', { task, ...record, model, epsilon: spent });
    }
    case 'aborted': {
      const { reason, record, againAfterMs } = event;
      return log.write('attempt-aborted', { task, reason, ...record, againAfterMs });
    }
    case 'task-opened':
    case 'task-reopened':
      return logTask(coordination, task, log);
    case 'model-promoted': {
      const { channel, step, by, modelHash } = event;
      return log.write('model-promoted', { task, channel, step, by, model: modelHash ?? undefined });
    }
    case 'compared': {
      const { round, reported, comparison } = event.record;
      return log.write('compared', { task, round, reported, people: comparison.people });
    }
    case 'model-judged': {
      const { verdict, difference, low, high, people, candidate: manifest } = event;
      const word = verdict === 'continue' ? undefined : verdict;
      return log.write('model-judged', { task, verdict: word, difference, low, high, people, manifest });
    }
    case 'run-changed':
      return log.write('run-changed', { task, run: event.run, by: event.by });
    case 'evaluated':
      return log.write('evaluated', { task, ...event.record });
    case 'finished':
      return log.write('finished', { task, reason: event.reason });
    case 'failed':
      return log.write('failed', {
        task,
        part: event.fatal ? 'journal' : 'task',
        ...errorFields(event.error),
      });
  }
}

/** Logs each task as it was opened. */
export function logOpened(coordination: Coordination, log: Log): void {
  for (const task of coordination.taskNames) logTask(coordination, task, log);
}

function logTask(coordination: Coordination, task: string, log: Log): void {
  const status = coordination.status(task);
  const items = coordination.taskInfo(task)?.items;
  log.write('opened', { task, round: status?.round, items, identity: status?.identity });
}
