// What every server of a cluster must have alike (authorities, the key of service accounts) travels in the datastore, sealed with the
// servers' token. The first server writes it, later ones read it. The choice: what is there is never replaced by another server's
// files. Who comes with other ones is refused and told what to do, because somebody trusts either of them.
import { X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Log } from '../../base/index.ts';
import {
  PkiError,
  readSharedPki,
  type SharedPki,
  type SharedPkiFile,
  sharedPkiFiles,
  writeSharedPki,
} from '../../http/index.ts';
import type { Notes } from '../../storage/index.ts';
import { SealError, seal, unseal } from './sealed-files.ts';
import {
  findToken,
  forgetToken,
  keepToken,
  makeToken,
  type TokenOptions,
  tokenPath,
} from './server-token.ts';

export interface SharedMaterialOptions extends TokenOptions {
  readonly notes: Notes;
  /** For messages: `etcd under /jotasu`. */
  readonly place: string;
  /** The certificate directory. */
  readonly directory: string;
  /** Makes what is missing in such a directory, from what is there. */
  readonly complete: (directory: string) => Promise<unknown>;
  /** The datastore holds objects already. Asked before the notes were read. */
  readonly hasObjects: boolean;
  readonly nowMs: number;
  readonly log: Log;
}

const note = 'bootstrap';
const attempts = 5;

/**
 * Afterwards the directory holds what all servers have, the datastore too, and the data directory the token. Rejects with PkiError or
 * DatastoreError for the person who starts the server, with BackendUnavailable when the datastore does not answer.
 */
export async function shareMaterial(options: SharedMaterialOptions): Promise<void> {
  const { notes, place, directory, log } = options;
  const given = findToken(options);
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const sealed = await notes.readNote(note);
    const local = readSharedPki(directory);
    if (sealed === undefined && options.hasObjects && local['ca.crt'] === undefined)
      throw new PkiError(
        `${place} holds a cluster without its certificates: start the server that has them in its data directory first, or restore them to ${directory}; a new authority would be trusted by nobody`,
      );
    const stored = sealed === undefined ? {} : await open(sealed, given, options);
    const plan = planSharedPki(local, stored, options.nowMs);
    if (plan.differs.length > 0) throw new PkiError(differs(plan.differs, options));
    const files = isWhole(plan.files) ? plan.files : await completed(plan.files, options);
    const token = given ?? makeToken();
    if (!isSame(files, stored)) {
      // On disk before it is needed: what was sealed with a token that nobody has is lost.
      if (given === undefined) keepToken(options, token);
      const written = await notes.replaceNote(note, { from: sealed, to: await seal(files, token) });
      if (!written) {
        if (given === undefined) forgetToken(options);
        continue;
      }
      log.info('certificate authorities and keys are kept in the datastore for further servers', {
        tokenFile: tokenPath(options),
        tokenIsNew: given === undefined,
      });
    }
    writeSharedPki(directory, files);
    keepToken(options, token);
    return;
  }
  throw new PkiError(`other servers change what is shared in ${place} again and again; try once more`);
}

async function open(
  sealed: Buffer,
  token: string | undefined,
  { place, dataDir }: SharedMaterialOptions,
): Promise<SharedPki> {
  const needed = `the token of its servers, which is in the file \`token\` of their data directories (--token-file FILE or --token TOKEN)`;
  if (token === undefined)
    throw new PkiError(`${place} holds a cluster already: to join it, this server needs ${needed}`);
  try {
    return pick(await unseal(sealed, token));
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    if (error.reason === 'token')
      throw new PkiError(
        `the token is not that of the cluster in ${place}: this server needs ${needed}; ${tokenPath({ dataDir })} is only used when none is given`,
      );
    throw new PkiError(`what the servers share in ${place} cannot be read: ${error.message}`);
  }
}

/** Names of later versions are not ours to write. */
const pick = (files: Readonly<Record<string, string>>): SharedPki =>
  Object.fromEntries(
    sharedPkiFiles.flatMap((name) => (typeof files[name] === 'string' ? [[name, files[name]]] : [])),
  );

const differs = (names: readonly string[], { place, directory }: SharedMaterialOptions): string =>
  `${names.join(', ')} in ${directory} and in ${place} are not the same: this server was of another cluster. ` +
  `To join the one in the datastore, move ${directory} away and start again; ` +
  `to start a cluster of its own, name another --etcd-prefix`;

export interface SharedPkiPlan {
  /** What both have and not alike, though it must be. */
  readonly differs: readonly SharedPkiFile[];
  readonly files: SharedPki;
}

const replaceMs = 30 * 86_400_000;

/**
 * What this server has and what the datastore has, as one. Those who trust the front proxy's authority read it from the cluster again and
 * again, so there the datastore's is taken, unless it is about to expire and ours is younger. Pure.
 */
export function planSharedPki(local: SharedPki, stored: SharedPki, nowMs: number): SharedPkiPlan {
  const isReplaceable = (name: string) => name.startsWith('front-proxy-ca.');
  const text = (pem: string | undefined) => pem?.trim();
  const differs = sharedPkiFiles.filter(
    (name) =>
      !isReplaceable(name) &&
      local[name] !== undefined &&
      stored[name] !== undefined &&
      text(local[name]) !== text(stored[name]),
  );
  const files = { ...local, ...stored };
  const ends = endOf(stored['front-proxy-ca.crt']);
  if (ends - nowMs < replaceMs && endOf(local['front-proxy-ca.crt']) > ends)
    for (const name of sharedPkiFiles) {
      const own = local[name];
      if (isReplaceable(name) && own !== undefined) files[name] = own;
    }
  return { differs, files };
}

/** 0 = there is none that can be read. */
function endOf(pem: string | undefined): number {
  try {
    return pem === undefined ? 0 : Date.parse(new X509Certificate(pem).validTo);
  } catch {
    return 0;
  }
}

const isWhole = (files: SharedPki): boolean => sharedPkiFiles.every((name) => files[name] !== undefined);

const isSame = (a: SharedPki, b: SharedPki): boolean =>
  sharedPkiFiles.every((name) => a[name]?.trim() === b[name]?.trim());

/** In a directory of its own: of servers that start at once all but one throw away what they made. */
async function completed(
  files: SharedPki,
  { directory, complete }: SharedMaterialOptions,
): Promise<SharedPki> {
  const staging = `${directory}.new`;
  rmSync(staging, { recursive: true, force: true });
  try {
    writeSharedPki(staging, files);
    await complete(staging);
    return readSharedPki(staging);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
