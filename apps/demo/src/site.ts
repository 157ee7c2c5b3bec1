import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EnvironmentError } from '@tutti/base';

/** A file of the site: what a path is answered with. */
export interface SiteFile {
  readonly type: string;
  readonly body: string;
}

/** The site that embeds the SDK: a handful of files, the same for everybody. It learns nothing of who looks. */
export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** The port is somebody else's. */
export class SitePortTakenError extends EnvironmentError {
  override readonly name = 'SitePortTakenError';
  override readonly code = 'demo/port-taken';
  constructor(
    readonly port: number,
    options?: ErrorOptions,
  ) {
    super(`port ${port} is taken`, options);
  }
}

/** Time for a whole request to arrive in, in milliseconds. */
const REQUEST_MS = 10_000;

/**
 * Serves `files` on this machine only.
 * @param onOpened hears each time that somebody asks for the page itself.
 * @throws {SitePortTakenError}
 */
export async function openSite(options: {
  readonly port: number;
  readonly files: ReadonlyMap<string, SiteFile>;
  readonly headers: Readonly<Record<string, string>>;
  readonly onOpened: () => void;
}): Promise<Site> {
  const { port, files, headers, onOpened } = options;
  const server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] as string;
    const file = request.method === 'GET' || request.method === 'HEAD' ? files.get(path) : undefined;
    const { type, body } = file ?? { type: 'text/plain; charset=utf-8', body: 'There is nothing here.\n' };
    if (file !== undefined && path === '/') onOpened();
    response
      .writeHead(file === undefined ? 404 : 200, {
        ...headers,
        'content-type': type,
        'cache-control': 'no-cache',
        'x-content-type-options': 'nosniff',
      })
      .end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(cause.code === 'EADDRINUSE' ? new SitePortTakenError(port, { cause }) : cause),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
