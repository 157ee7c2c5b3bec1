import { defineReceiptsElement, type ReceiptsElement } from '@tutti/client-browser/receipts';
import { useReceipts, useRecommendations, useRecommender } from '@tutti/react';
import type { RecommenderOptions } from '@tutti/client-browser';
import { createElement as h, useEffect, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';

export { defineReceiptsElement };

/** A small app on the hooks: a list, a consent switch, the receipt panel. */
function Shelf({ options }: { options: RecommenderOptions }) {
  const { tutti, consent, problem } = useRecommender(options);
  const { items, reload } = useRecommendations(tutti, { k: 3 });
  const receipts = useReceipts(tutti);
  const panel = useRef<ReceiptsElement>(null);
  useEffect(() => {
    if (panel.current !== null) panel.current.recommender = tutti;
  }, [tutti]);
  const like = (item: string) => void tutti?.record({ item, kind: 'like' }).then(reload);
  return h(
    'main',
    { 'data-consent': consent, 'data-problem': problem?.message, 'data-updates': receipts?.total.updates },
    h(
      'p',
      null,
      items.map(({ item }) => h('button', { key: item, className: 'film', onClick: () => like(item) }, item)),
    ),
    h('button', { id: 'join', onClick: () => void tutti?.consent.grant() }, 'Take part'),
    h('button', { id: 'forget', onClick: () => void tutti?.forget() }, 'Forget me'),
    h('tutti-receipts', { ref: panel }),
  );
}

function App({ options }: { options: RecommenderOptions }) {
  const [shown, show] = useState(true);
  return h(
    'div',
    null,
    h('button', { id: 'toggle', onClick: () => show(!shown) }, 'shelf'),
    shown && h(Shelf, { options }),
  );
}

/** Draws the app into the page. */
export function draw(options: RecommenderOptions): void {
  defineReceiptsElement();
  const place = document.querySelector('main') as HTMLElement;
  createRoot(place).render(h(App, { options }));
}
