import { h, type ComponentChild } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Film } from '../films.ts';
import type { App } from './app.ts';
import { THEME_CHANGED } from './chart.ts';
import { ForgetDialog, ReceiptsDialog } from './dialogs.ts';
import { Federation } from './federation.ts';
import { ForYou, Shelves } from './shelves.ts';
import type { DemoState } from './state.ts';

/** Likes after which a person is asked to take part, in words. */
const FEW = 5;

/** The whole page. */
export function Page({ state, app }: { readonly state: DemoState; readonly app: App }): ComponentChild {
  const [dialog, show] = useState<'none' | 'receipts' | 'forget'>('none');
  const close = (): void => show('none');
  const likes = new Set(state.likes);
  const onLike = (film: Film): void => app.like(film.id, !likes.has(film.id));
  const forget = (): void => {
    close();
    void app.forget();
  };
  return h(
    'div',
    { class: 'page' },
    h('a', { class: 'skip', href: '#rounds' }, 'Skip to rounds and your device'),
    h(Header, { coordinator: state.setting.coordinator }),
    h(
      'main',
      null,
      h(Welcome, { state }),
      h(ForYou, { state, likes, onLike }),
      h(Federation, {
        state,
        onConsent: app.setConsent,
        onReceipts: () => show('receipts'),
        onForget: () => show('forget'),
      }),
      h(Shelves, { state, likes, onLike }),
    ),
    h(
      'footer',
      null,
      h(
        'p',
        null,
        'Every film, poster and person here is invented. All of it runs on this computer; nothing came from a network.',
      ),
    ),
    h('p', { class: 'unseen', role: 'status' }, state.said),
    h(ReceiptsDialog, { open: dialog === 'receipts', source: app.recommender(), onClose: close }),
    h(ForgetDialog, { open: dialog === 'forget', onForget: forget, onClose: close }),
  );
}

const THEMES = ['auto', 'light', 'dark'] as const;

function Header({ coordinator }: { readonly coordinator: string }): ComponentChild {
  const [theme, setTheme] = useState<(typeof THEMES)[number]>('auto');
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
    dispatchEvent(new Event(THEME_CHANGED));
  }, [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
  return h(
    'header',
    null,
    h('div', { class: 'brand' }, LOGO, h('span', null, 'Matinee')),
    h(
      'nav',
      { 'aria-label': 'Page' },
      h('a', { href: coordinator, target: '_blank', rel: 'noopener' }, 'Coordinator'),
      h('button', { type: 'button', class: 'plain', onClick: () => setTheme(next) }, `Theme: ${theme}`),
    ),
  );
}

const LOGO = h(
  'svg',
  { viewBox: '0 0 40 28', width: 40, height: 28, 'aria-hidden': 'true' },
  h('circle', { cx: 14, cy: 14, r: 12, class: 'one' }),
  h('circle', { cx: 26, cy: 14, r: 12, class: 'two' }),
);

/** What this is, and what to do. */
function Welcome({ state }: { readonly state: DemoState }): ComponentChild {
  const { likes, consent, rounds, warnings, mine } = state;
  const steps: readonly (readonly [done: boolean, text: string, to: string])[] = [
    [likes.length >= FEW, `Like a few films (${Math.min(likes.length, FEW)} of ${FEW})`, '#browse'],
    [consent === 'granted', 'Take part', '#rounds'],
    [
      mine.size > 0,
      rounds.length === 0 ? 'Watch the rounds' : `Watch the rounds (${rounds.length} so far)`,
      '#rounds',
    ],
  ];
  return h(
    'section',
    { class: 'welcome', 'aria-labelledby': 'welcome' },
    h('h1', { id: 'welcome' }, 'A film shelf that learns without looking'),
    h('p', null, 'Your browser learns what you like, together with many others. What you like stays in it.'),
    h(
      'ol',
      { class: 'steps' },
      steps.map(([done, text, to], at) =>
        h(
          'li',
          { key: at, class: done ? 'done' : '' },
          h('span', { class: 'mark', 'aria-hidden': 'true' }, done ? '✓' : at + 1),
          h('a', { href: to }, text),
          done ? h('span', { class: 'unseen' }, ' (done)') : null,
        ),
      ),
    ),
    warnings.map((message) => h('p', { key: message, class: 'warning', role: 'alert' }, message)),
  );
}
