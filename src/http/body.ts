// Request bodies, read whole and never beyond a limit. HOT: a body that came in one piece is handed on without a copy.
import type { HttpRequest } from './exchange.ts';

export type BodyResult =
  | { readonly ok: true; readonly bytes: Buffer }
  /** tooLarge: more than the limit, nothing kept. aborted: the client went away, nobody is left to answer. */
  | { readonly ok: false; readonly why: 'tooLarge' | 'aborted' };

const tooLarge: BodyResult = { ok: false, why: 'tooLarge' };
const aborted: BodyResult = { ok: false, why: 'aborted' };
const empty: BodyResult = { ok: true, bytes: Buffer.alloc(0) };

/** Never rejects. Once it says tooLarge the rest of the body is discarded as it arrives. */
export function readBody(request: HttpRequest, limitBytes: number): Promise<BodyResult> {
  const declared = request.headers['content-length'];
  if (declared !== undefined && Number(declared) > limitBytes) {
    request.resume();
    return Promise.resolve(tooLarge);
  }
  if (request.readableEnded) return Promise.resolve(empty);
  return new Promise((resolve) => {
    let first: Buffer | null = null;
    let more: Buffer[] | null = null;
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limitBytes) {
        first = more = null;
        resolve(tooLarge);
      } else if (first === null) first = chunk;
      else if (more === null) more = [first, chunk];
      else more.push(chunk);
    });
    request.on('end', () => {
      if (first === null) resolve(empty);
      else resolve({ ok: true, bytes: more === null ? first : Buffer.concat(more, size) });
    });
    request.on('error', () => resolve(aborted));
    request.on('close', () => resolve(aborted));
  });
}
