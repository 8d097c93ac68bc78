// The header blocks of SPDY/3, compressed with zlib over one history per connection and direction. What we send is written as
// stored (uncompressed) deflate blocks, and what we get is inflated block by block with the last 32 KiB as its dictionary: both
// are synchronous and keep no zlib object alive. Each block must end with a sync flush, as SPDY asks.
import { constants, inflateRawSync } from 'node:zlib';

/** Names in lower case. A value may hold several, separated by NUL. */
export type SpdyHeaders = ReadonlyMap<string, string>;

export class SpdyError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SpdyError';
  }
}

/** The words of the SPDY/3 dictionary, each written with its length before it … */
const words =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow ' +
  'authorization cache-control connection content-base content-encoding content-language content-length content-location ' +
  'content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match ' +
  'if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range ' +
  'referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get ' +
  'status 200~OK version HTTP/1.1 url public set-cookie keep-alive origin';

/** … and the text after them. */
const text =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203~Non-Authoritative~' +
  'Information204~No~Content301~Moved~Permanently400~Bad~Request401~Unauthorized403~Forbidden404~Not~Found500~Internal~' +
  'Server~Error501~Not~Implemented503~Service~UnavailableJan~Feb~Mar~Apr~May~Jun~Jul~Aug~Sept~Oct~Nov~Dec~00:00:00~Mon,~' +
  'Tue,~Wed,~Thu,~Fri,~Sat,~Sun,~GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,' +
  'text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

/** Fixed by the SPDY/3 specification. */
export const spdyDictionary: Buffer = Buffer.concat([
  ...words.split(' ').map((word) => lengthPrefixed(word.replaceAll('~', ' '))),
  Buffer.from(text.replaceAll('~', ' '), 'latin1'),
]);

/** What zlib's header calls the dictionary: its Adler-32. */
export const spdyDictionaryId = adler32(spdyDictionary);

/** More than this in one block is a broken or hostile peer: Kubernetes sends a few dozen bytes. */
const maxHeaderBytes = 256 * 1024;
const historyBytes = 32 * 1024;
const maxStoredBytes = 0xffff;
/** An empty stored block: where a receiver may stop reading and hand on what it has. */
const syncFlush = Buffer.from([0, 0, 0, 0xff, 0xff]);

function lengthPrefixed(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  const out = Buffer.allocUnsafe(4 + bytes.length);
  out.writeUInt32BE(bytes.length, 0);
  bytes.copy(out, 4);
  return out;
}

function adler32(bytes: Buffer): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

export class HeaderWriter {
  #started = false;

  write(headers: SpdyHeaders): Buffer {
    const count = Buffer.allocUnsafe(4);
    count.writeUInt32BE(headers.size, 0);
    const plain: Buffer[] = [count];
    for (const [name, value] of headers)
      plain.push(lengthPrefixed(name.toLowerCase()), lengthPrefixed(value));
    const block = Buffer.concat(plain);
    if (block.length > maxHeaderBytes) throw new SpdyError(`headers of ${block.length} bytes are too long`);
    const out: Buffer[] = [];
    if (!this.#started) {
      this.#started = true;
      const start = Buffer.from([0x78, 0x20, 0, 0, 0, 0]);
      // The two first bytes, read as a number, are a multiple of 31.
      start[1]! += 31 - (start.readUInt16BE(0) % 31);
      start.writeUInt32BE(spdyDictionaryId, 2);
      out.push(start);
    }
    for (let at = 0; at < block.length; at += maxStoredBytes) {
      const stored = block.subarray(at, at + maxStoredBytes);
      const start = Buffer.from([0, 0, 0, 0, 0]);
      start.writeUInt16LE(stored.length, 1);
      start.writeUInt16LE(stored.length ^ 0xffff, 3);
      out.push(start, stored);
    }
    out.push(syncFlush);
    return Buffer.concat(out);
  }
}

export class HeaderReader {
  /** undefined = no block has come yet. */
  #history: Uint8Array | undefined;

  /** Throws a SpdyError for anything that is not a header block; the connection cannot go on after that. */
  read(block: Buffer): Map<string, string> {
    let compressed: Buffer = block;
    if (this.#history === undefined) {
      if (block.length < 2 || (block[0]! & 0x0f) !== 8 || block.readUInt16BE(0) % 31 !== 0)
        throw new SpdyError('the header block does not begin as zlib does');
      const withDictionary = (block[1]! & 0x20) !== 0;
      if (withDictionary && (block.length < 6 || block.readUInt32BE(2) !== spdyDictionaryId))
        throw new SpdyError('the header block was compressed with another dictionary');
      this.#history = withDictionary ? spdyDictionary : Buffer.alloc(0);
      compressed = block.subarray(withDictionary ? 6 : 2);
    }
    const plain = inflate(compressed, this.#history);
    const history = Buffer.concat([this.#history, plain]);
    this.#history = history.subarray(Math.max(0, history.length - historyBytes));
    return parse(plain);
  }
}

function inflate(compressed: Buffer<ArrayBufferLike>, history: Uint8Array): Buffer {
  try {
    return inflateRawSync(compressed, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: maxHeaderBytes,
      ...(history.length > 0 && { dictionary: history }),
    });
  } catch (error) {
    throw new SpdyError('the header block cannot be inflated', error);
  }
}

function parse(block: Buffer): Map<string, string> {
  let at = 0;
  const number = () => {
    if (at + 4 > block.length) throw new SpdyError('the header block is too short');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const string = () => {
    const length = number();
    if (at + length > block.length) throw new SpdyError('the header block is too short');
    at += length;
    return block.toString('utf8', at - length, at);
  };
  const headers = new Map<string, string>();
  for (let left = number(); left > 0; left--) {
    const name = string();
    const value = string();
    if (name === '' || name !== name.toLowerCase())
      throw new SpdyError(`header name ${JSON.stringify(name)} is not in lower case`);
    if (headers.has(name)) throw new SpdyError(`header ${JSON.stringify(name)} is there twice`);
    headers.set(name, value);
  }
  if (at !== block.length) throw new SpdyError('the header block is too long');
  return headers;
}
