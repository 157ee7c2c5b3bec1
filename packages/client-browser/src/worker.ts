import { serveRecommender } from './serve.ts';

// Nothing happens where this is loaded outside a worker.
if ('WorkerGlobalScope' in globalThis) serveRecommender();
