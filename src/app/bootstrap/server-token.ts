// The token of the servers of a cluster: who has it may open what they share in the datastore. It is a flag, a file, or what stands
// in `token` of the data directory, where a server keeps the one it was started with, so that it needs no flag the next time.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PkiError, readIfThere, writeAtomically } from '../../http/index.ts';
import { DatastoreError } from '../datastore.ts';
import { parseJoinToken } from '../join/join-token.ts';

export interface TokenOptions {
  readonly dataDir: string;
  readonly token: string | undefined;
  /** A file that holds it, whose last line may end. */
  readonly tokenFile: string | undefined;
}

export const tokenPath = ({ dataDir }: Pick<TokenOptions, 'dataDir'>): string => join(dataDir, 'token');

/** undefined = there is none. Throws DatastoreError for what can be no token. */
export function findToken(options: TokenOptions): string | undefined {
  const { token, tokenFile } = options;
  if (token !== undefined && tokenFile !== undefined)
    throw new DatastoreError('--token and --token-file exclude each other');
  if (token !== undefined) return checked(token, '--token');
  if (tokenFile !== undefined) return checked(readGiven(tokenFile), tokenFile);
  const kept = readIfThere(tokenPath(options));
  return kept === undefined ? undefined : checked(kept, tokenPath(options));
}

/** 128 random bits in hex. */
export const makeToken = (): string => randomBytes(16).toString('hex');

/** Mode 0600. Throws PkiError. */
export function keepToken(options: Pick<TokenOptions, 'dataDir'>, token: string): void {
  const path = tokenPath(options);
  if (readIfThere(path)?.trim() === token) return;
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  writeAtomically(path, `${token}\n`);
}

export function forgetToken(options: Pick<TokenOptions, 'dataDir'>): void {
  rmSync(tokenPath(options), { force: true });
}

function readGiven(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new PkiError(`cannot read the token file ${path}: ${(error as Error).message}`, error);
  }
}

/** What is wrong is said without the token. */
function checked(text: string, where: string): string {
  const token = text.trim();
  if (token === '')
    throw new DatastoreError(`${where} is empty: it must hold the token of the cluster's servers`);
  if (/\s/.test(token))
    throw new DatastoreError(`${where} holds more than one word: a token has no spaces in it`);
  if (parseJoinToken(token) !== undefined)
    throw new DatastoreError(
      `${where} is a token by which nodes join (jotasu token create); servers need the one in the file \`token\` of the first server's data directory`,
    );
  return token;
}
