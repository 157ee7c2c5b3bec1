import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * What axe finds against a page, or an element of it, by name. It runs in a world of its own: the page's content policy allows no
 * script of ours.
 */
export async function barriers(page: Page, within = 'html'): Promise<string[]> {
  const client = await page.context().newCDPSession(page);
  const { frameTree } = await client.send('Page.getFrameTree');
  const { executionContextId: contextId } = await client.send('Page.createIsolatedWorld', {
    frameId: frameTree.frame.id,
    grantUniveralAccess: true,
  });
  await client.send('Runtime.evaluate', { expression: axe, contextId });
  const { result } = await client.send('Runtime.evaluate', {
    expression: `axe.run(${JSON.stringify(within)}).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))`,
    contextId,
    awaitPromise: true,
    returnByValue: true,
  });
  await client.detach();
  return result.value as string[];
}
