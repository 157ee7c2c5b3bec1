import { defineReceiptsElement } from '@tutti/client-browser/receipts';
import { h, render } from 'preact';
import { openApp, type App } from './app.ts';
import { json, listenToCoordinator } from './coordinator.ts';
import type { Setting } from './setting.ts';
import { emptyState, reduce, type DemoEvent } from './state.ts';
import { Page } from './view.ts';

/** The page's only state, drawn anew at most once a frame. */
const place = document.getElementById('app') as HTMLElement;
const setting = await json<Setting>('/setting.json');
let state = emptyState(setting);
let app: App | undefined;
let drawing = false;

function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (app !== undefined) render(h(Page, { state, app }), place);
  });
}

function happen(event: DemoEvent): void {
  const before = lastRound();
  state = reduce(state, event);
  const round = lastRound();
  if (round > before) app?.committed(round);
  draw();
}

const lastRound = (): number => state.rounds.at(-1)?.round ?? 0;

defineReceiptsElement();
listenToCoordinator(setting, happen);
try {
  app = await openApp(setting, lastRound, happen);
  place.replaceChildren();
  draw();
  // Rounds that were committed while it opened.
  if (lastRound() > 0) app.committed(lastRound());
} catch (error) {
  const problem = document.createElement('p');
  problem.textContent = `The demo could not be opened: ${error instanceof Error ? error.message : String(error)}. Is “npm run demo” still running?`;
  place.replaceChildren(problem);
}
