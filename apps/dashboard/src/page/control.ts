import type { TaskStatus } from '@tutti/coordination';
import { h, type ComponentChild } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Step } from './operate.ts';
import type { DashboardState } from './state.ts';

/** What a person can do on the page. */
export interface Actions {
  useToken(token: string): void;
  forgetToken(): void;
  /** Asks whether a step is meant; undefined: it is not. */
  ask(wish: DashboardState['wish']): void;
  /** It is meant. */
  confirm(): void;
}

interface Props {
  readonly state: DashboardState;
  readonly actions: Actions;
}

/** Whose token the page holds, or a field for one. */
export function OperatorField({ state: { operator, problem }, actions }: Props): ComponentChild {
  const said = problem === undefined ? null : h('p', { role: 'alert', class: 'gone' }, problem);
  if (operator !== undefined)
    return h(
      'div',
      { class: 'operator' },
      h('span', null, `${operator.name}, who may ${operator.role}`),
      h('button', { type: 'button', onClick: actions.forgetToken }, 'Forget the token'),
      said,
    );
  return h(
    'details',
    { class: 'operator' },
    h('summary', null, 'Operate'),
    h(
      'form',
      {
        onSubmit(event: SubmitEvent) {
          event.preventDefault();
          const form = event.currentTarget as HTMLFormElement;
          const token = new FormData(form).get('token');
          if (typeof token === 'string') actions.useToken(token);
          form.reset();
        },
      },
      h('label', { for: 'token' }, 'Token (tutti token create)'),
      h('input', { id: 'token', name: 'token', type: 'password', autocomplete: 'off', required: true }),
      h('button', { type: 'submit' }, 'Use it in this tab'),
    ),
    said,
  );
}

const STEPS: Readonly<Record<Step, { readonly label: string; readonly means: string }>> = {
  pause: {
    label: 'Pause',
    means: 'The round that is going on ends as it would have; no other begins until it is resumed.',
  },
  resume: { label: 'Resume', means: 'Rounds begin again.' },
  stop: {
    label: 'Stop for good',
    means:
      'The round that is going on ends at once, and no other is ever made. The models stay, and are served.',
  },
};

/** Buttons for what can be done with a task now, for who may. */
export function RunControl({
  status: { task, run },
  state: { operator },
  actions,
}: Props & { readonly status: TaskStatus }): ComponentChild {
  if (operator?.role !== 'operate' || run === 'stopped') return null;
  const steps: readonly Step[] = [run === 'paused' ? 'resume' : 'pause', 'stop'];
  return h(
    'div',
    { class: 'steps', role: 'group', 'aria-label': `run of task ${task}` },
    steps.map((step) =>
      h(
        'button',
        { key: step, type: 'button', class: step, onClick: () => actions.ask({ task, step }) },
        STEPS[step].label,
      ),
    ),
  );
}

/** Asks whether it is meant. */
export function Confirmation({ state: { wish }, actions }: Props): ComponentChild {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (wish !== undefined && dialog.current?.open === false) dialog.current.showModal();
  }, [wish]);
  if (wish === undefined) return null;
  const { label, means } = STEPS[wish.step];
  return h(
    'dialog',
    { ref: dialog, 'aria-labelledby': 'wish', onClose: () => actions.ask(undefined) },
    h('h2', { id: 'wish' }, `${label}: task ${wish.task}?`),
    h('p', null, means),
    h(
      'div',
      { class: 'steps' },
      h(
        'button',
        { type: 'button', class: wish.step, onClick: actions.confirm },
        `Yes, ${label.toLowerCase()}`,
      ),
      h('button', { type: 'button', onClick: () => actions.ask(undefined) }, 'No'),
    ),
  );
}
