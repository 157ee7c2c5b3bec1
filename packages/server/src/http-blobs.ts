import { StorageUnavailableError, type Blobs } from '@tutti/coordination';
import type { FastifyInstance } from 'fastify';

/**
 * Immutable blobs by their hash, in ranges.
 * @param sent hears how many bytes of one leave.
 */
export function serveBlobs(app: FastifyInstance, blobs: Blobs, sent: (bytes: number) => void): void {
  app.get<{ Params: { hash: string } }>('/v1/blobs/:hash', async (request, reply) => {
    const { hash } = request.params;
    const bytes = /^[0-9a-f]{64}$/.test(hash) ? await blobs.get(hash).catch(unavailable) : undefined;
    if (bytes === 'unavailable')
      return reply
        .code(503)
        .header('retry-after', '5')
        .send({ error: { code: 'http/storage-unavailable', message: 'the storage does not answer now' } });
    if (bytes === undefined)
      return reply
        .code(404)
        .send({ error: { code: 'http/unknown-blob', message: 'there is no blob of this hash' } });
    reply
      .header('etag', `"${hash}"`)
      .header('cache-control', 'public, max-age=31536000, immutable')
      .header('accept-ranges', 'bytes')
      .type('application/octet-stream');
    if (request.headers['if-none-match'] === `"${hash}"`) return reply.code(304).send();
    const part = rangeOf(request.headers.range, bytes.length);
    if (part === 'unsatisfiable')
      return reply.code(416).header('content-range', `bytes */${bytes.length}`).send();
    const [start, end] = part ?? [0, bytes.length];
    sent(end - start);
    if (part !== undefined)
      reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${bytes.length}`);
    return reply.send(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start));
  });
}

/** What the storage's error says is for who runs it, not for who asks. */
function unavailable(error: unknown): 'unavailable' {
  if (error instanceof StorageUnavailableError) return 'unavailable';
  throw error;
}

/** `bytes=a-b`, one range only. */
function rangeOf(header: string | undefined, size: number): [number, number] | 'unsatisfiable' | undefined {
  const match = header === undefined ? null : /^bytes=(\d*)-(\d*)$/.exec(header);
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? size : Math.min(size, Number(match[2]) + 1);
  return start < end ? [start, end] : 'unsatisfiable';
}
