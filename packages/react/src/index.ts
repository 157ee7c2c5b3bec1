/**
 * React hooks over the browser SDK: a recommender that lives as long as its component, its list, and what left the device.
 *
 * ```ts
 * import { createElement } from 'react';
 * import { useRecommendations, useRecommender } from '@tutti/react';
 *
 * function Shelf() {
 *   const { tutti, consent } = useRecommender({ coordinator: 'https://fl.example.org', task: 'films' });
 *   const { items } = useRecommendations(tutti, { k: 10 });
 *   const films = items.map(({ item, title }) => createElement('li', { key: item }, title ?? item));
 *   const join = () => void tutti?.consent.grant();
 *   return createElement('ul', null, ...films, consent !== 'granted' && createElement('button', { onClick: join }, 'Join'));
 * }
 * ```
 */
export { useReceipts, useRecommendations, useRecommender } from './hooks.ts';
export type { OpenedRecommender, Recommendations } from './hooks.ts';
