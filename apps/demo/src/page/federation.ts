import { h, type ComponentChild } from 'preact';
import { Chart, smoothed } from './chart.ts';
import { LIST, type DemoState } from './state.ts';
import { bytes, lastRound, now, PHASES } from './words.ts';

export interface FederationProps {
  readonly state: DemoState;
  readonly onConsent: (on: boolean) => void;
  readonly onReceipts: () => void;
  readonly onForget: () => void;
}

/** Rounds that a point of the quality line is a mean of. */
const SPAN = 5;

/** What this browser and the others do together: the part that a person can join, leave, and look into. */
export function Federation(props: FederationProps): ComponentChild {
  return h(
    'aside',
    { id: 'rounds', 'aria-labelledby': 'rounds-title', tabIndex: -1 },
    h(Consent, props),
    h(Rounds, props),
    h(Quality, props),
    h(Device, props),
  );
}

function Consent({ state, onConsent }: FederationProps): ComponentChild {
  const on = state.consent === 'granted';
  return h(
    'section',
    { class: `panel consent${on ? ' on' : ''}`, 'aria-labelledby': 'consent-title' },
    h(
      'div',
      { class: 'switch-row' },
      h('h2', { id: 'consent-title' }, 'Take part'),
      h(
        'button',
        {
          type: 'button',
          role: 'switch',
          class: 'switch',
          'aria-checked': on ? 'true' : 'false',
          'aria-labelledby': 'consent-title',
          'aria-describedby': 'consent-words',
          onClick: () => onConsent(!on),
        },
        h('span', { 'aria-hidden': 'true' }),
      ),
    ),
    h(
      'p',
      { id: 'consent-words' },
      on
        ? 'Your browser trains on your likes and adds what it learned to the sum of a round, masked so that nobody can read it. Switch it off at any time: a round that runs is left at once.'
        : 'Off: nothing leaves this browser. Likes and suggestions work without it. Switched on, your browser adds what it learned from your likes to a sum over many devices, masked so that nobody can read it.',
    ),
  );
}

function Rounds({ state }: FederationProps): ComponentChild {
  const { people, cohort } = state.setting;
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': 'rounds-title' },
    h('h2', { id: 'rounds-title' }, 'Rounds'),
    h('p', { class: 'status' }, lastRound(state)),
    h(Devices, { state }),
    h('p', { class: 'soft now' }, now(state)),
    h(
      'details',
      null,
      h('summary', null, 'Who are the others?'),
      h(
        'p',
        null,
        `${people} simulated people in another process of this computer. Each is a real client with its own socket, keys and likes. A round takes ${cohort} of those who are free. They rest for some seconds after each; your browser does not, so it is in most rounds.`,
      ),
    ),
  );
}

/** A dot for each device of a round, filled when it answered in this phase; the person's own stands out. */
function Devices({ state: { status, part, setting, live } }: { readonly state: DemoState }): ComponentChild {
  const total = Math.min(200, Math.max(setting.cohort, status?.progress.total ?? 0));
  const done = live ? (status?.progress.done ?? 0) : 0;
  const phase = status?.phase ?? 'select';
  return h(
    'div',
    { class: 'devices', 'aria-hidden': 'true' },
    h(
      'ol',
      { class: 'phases' },
      PHASES.map(([name, short]) => h('li', { key: name, class: name === phase ? 'current' : '' }, short)),
    ),
    h(
      'div',
      { class: 'dots' },
      Array.from({ length: total }, (_, at) =>
        h('i', {
          key: at,
          class: [at < done ? 'done' : '', at === 0 && part !== undefined ? 'own' : ''].join(' ').trim(),
        }),
      ),
    ),
  );
}

function Quality({ state: { rounds, fits } }: FederationProps): ComponentChild {
  const at = rounds.map(({ round }) => round);
  const hits = smoothed(
    rounds.map(({ metrics }) => metrics.hr10),
    SPAN,
  );
  const fit = at.map((round) => {
    const count = fits.get(round);
    return count === undefined ? null : count / LIST;
  });
  return h(
    'section',
    { class: 'panel', 'aria-label': 'How good it is' },
    h(Chart, {
      title: 'How good it is, by round',
      rounds: at,
      lines: [
        { label: 'you: suggestions of genres you like', colour: 'accent', values: fit },
        { label: 'everybody: hidden film found in a top 10', colour: 'second', values: hits },
      ],
    }),
    h(
      'p',
      { class: 'soft small' },
      'Yours is counted in this browser and goes nowhere. Each of the others hides one of its films from training and looks whether it comes among the first 10 of 100; how many found it comes out of the masked sum (a mean of five rounds).',
    ),
  );
}

function Device({ state: { receipts, likes }, onReceipts, onForget }: FederationProps): ComponentChild {
  const { updates = 0, bytes: sent = 0 } = receipts?.total ?? {};
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': 'device-title' },
    h('h2', { id: 'device-title' }, 'Your device'),
    h(
      'dl',
      { class: 'facts-list' },
      h('div', null, h('dt', null, 'Likes, kept here'), h('dd', null, `${likes.length}`)),
      h('div', null, h('dt', null, 'Masked updates sent'), h('dd', null, `${updates}`)),
      h('div', null, h('dt', null, 'Left this device'), h('dd', null, sent === 0 ? 'nothing' : bytes(sent))),
    ),
    h('button', { type: 'button', class: 'wide', onClick: onReceipts }, 'What left my device'),
    h('button', { type: 'button', class: 'wide quiet', onClick: onForget }, 'Forget me'),
    h('p', { class: 'soft small' }, 'Forgetting removes everything that this browser keeps.'),
  );
}
