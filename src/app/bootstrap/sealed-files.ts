// A few files, sealed with a token: what servers of a cluster share lies in a datastore that others may read. The key is scrypt's of
// the token, the cipher AES-256-GCM, which also tells a wrong token from a right one. What is needed to open it again, the token
// excepted, stands in front and is authenticated with the rest.
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';

/** Texts by name. */
export type Files = Readonly<Record<string, string>>;

/** It cannot be opened: the token is another one, or the bytes are not those that were sealed. */
export class SealError extends Error {
  readonly reason: 'token' | 'format';
  constructor(reason: SealError['reason'], message: string) {
    super(message);
    this.name = 'SealError';
    this.reason = reason;
  }
}

interface Header {
  readonly format: 1;
  /** scrypt's cost and block size: 32 MiB and about a tenth of a second. */
  readonly N: number;
  readonly r: number;
  readonly p: number;
  /** base64 */
  readonly salt: string;
  readonly nonce: string;
}

export type Cost = Pick<Header, 'N' | 'r' | 'p'>;
const usualCost: Cost = { N: 2 ** 15, r: 8, p: 1 };
/** What a stranger's header may make this process spend. */
const mostBytes = 256 * 1024 * 1024;
const tagBytes = 16;

/** As one text: the header in JSON, a line feed, and base64. Twice the same is never the same text. */
export async function seal(files: Files, token: string, cost: Cost = usualCost): Promise<Buffer> {
  const nonce = randomBytes(12);
  const header: Header = {
    format: 1,
    ...cost,
    salt: randomBytes(16).toString('base64'),
    nonce: nonce.toString('base64'),
  };
  const front = JSON.stringify(header);
  const cipher = createCipheriv('aes-256-gcm', await keyOf(token, header), nonce);
  cipher.setAAD(Buffer.from(front));
  const box = Buffer.concat([
    cipher.update(JSON.stringify(files), 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return Buffer.from(`${front}\n${box.toString('base64')}\n`);
}

/** Throws SealError; its message holds nothing of the token or of the files. */
export async function unseal(sealed: Buffer, token: string): Promise<Files> {
  const [front = '', body = ''] = sealed.toString('utf8').split('\n');
  const header = readHeader(front);
  const box = Buffer.from(body, 'base64');
  if (box.length < tagBytes) throw new SealError('format', 'it is cut short');
  const decipher = createDecipheriv(
    'aes-256-gcm',
    await keyOf(token, header),
    Buffer.from(header.nonce, 'base64'),
  );
  decipher.setAAD(Buffer.from(front));
  decipher.setAuthTag(box.subarray(-tagBytes));
  try {
    const text = Buffer.concat([decipher.update(box.subarray(0, -tagBytes)), decipher.final()]).toString(
      'utf8',
    );
    return JSON.parse(text) as Files;
  } catch {
    throw new SealError('token', 'the token does not open it');
  }
}

function readHeader(front: string): Header {
  let header: Partial<Header>;
  try {
    header = (JSON.parse(front) ?? {}) as Partial<Header>;
  } catch {
    throw new SealError('format', 'it has no header');
  }
  if (header.format !== 1)
    throw new SealError(
      'format',
      `its format is ${JSON.stringify(header.format)}, and this program reads format 1`,
    );
  const { N, r, p, salt, nonce } = header;
  const areCosts =
    [N, r, p].every((n) => Number.isSafeInteger(n) && n! > 0) && Number.isInteger(Math.log2(N!));
  if (
    !areCosts ||
    p! > 16 ||
    128 * N! * r! > mostBytes ||
    typeof salt !== 'string' ||
    typeof nonce !== 'string'
  )
    throw new SealError('format', 'its header makes no sense');
  if (Buffer.from(nonce, 'base64').length !== 12) throw new SealError('format', 'its header makes no sense');
  return header as Header;
}

function keyOf(token: string, { N, r, p, salt }: Header): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { N, r, p, maxmem: 2 * mostBytes };
    scrypt(token.normalize('NFC'), Buffer.from(salt, 'base64'), 32, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}
