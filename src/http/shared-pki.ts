// The files of a certificate directory that must be the same on every server of a cluster; all others are made from them. The choice:
// they are read and written as text, by name, so that whoever carries them to another machine need not know what they are.
import { join } from 'node:path';
import { readIfThere, usePrivateDirectory, writeAtomically } from './pki-directory.ts';

/** In the order in which they are written: a certificate after its key. */
export const sharedPkiFiles = [
  'ca.key',
  'ca.crt',
  'front-proxy-ca.key',
  'front-proxy-ca.crt',
  'sa.key',
] as const;

export type SharedPkiFile = (typeof sharedPkiFiles)[number];
/** PEM by name. */
export type SharedPki = Partial<Readonly<Record<SharedPkiFile, string>>>;

/** Those that are there. A key whose certificate a crash kept from being written counts for nothing. Throws PkiError. */
export function readSharedPki(directory: string): SharedPki {
  const found = new Map<string, string>();
  for (const name of sharedPkiFiles) {
    const text = readIfThere(join(directory, name));
    if (text !== undefined) found.set(name, text);
  }
  for (const pair of ['ca', 'front-proxy-ca']) if (!found.has(`${pair}.crt`)) found.delete(`${pair}.key`);
  return Object.fromEntries(found);
}

/** Makes the directory (0700) when it is missing; files are 0600 and those that are right stay as they are. Throws PkiError. */
export function writeSharedPki(directory: string, files: SharedPki): void {
  usePrivateDirectory(directory);
  for (const name of sharedPkiFiles) {
    const text = files[name];
    const path = join(directory, name);
    if (text !== undefined && readIfThere(path) !== text) writeAtomically(path, text);
  }
}
