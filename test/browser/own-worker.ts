import { serveRecommender } from '@tutti/client-browser/serve';
import { ownEngine } from './own-tensorflow.ts';

/** An app's own worker file, with an app's own model. */
serveRecommender({ engine: (model) => ownEngine(model, 'wasm') });
