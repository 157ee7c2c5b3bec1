import { serveRecommender } from '@tutti/client-browser/serve';

serveRecommender();
