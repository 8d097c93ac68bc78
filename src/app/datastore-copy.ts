// `jotasu datastore copy`: how a cluster grows from one server with a store of its own to several on etcd, and back. Certificates and
// keys are not part of it: they are in the data directory, and a server brings them when it starts on etcd.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { kinds } from '../api/index.ts';
import { CommandFailure, type DatastoreCopyFlags } from '../cli/index.ts';
import type { BackendOptions } from '../storage/index.ts';
import {
  BackendUnavailable,
  CopyRefused,
  copyRecords,
  DirectoryInUse,
  RecordTooLarge,
} from '../storage/index.ts';
import {
  DatastoreError,
  type DatastoreOptions,
  datastoreDefaults,
  openPlace,
  parseDatastore,
} from './datastore.ts';

const progressEvery = 5000;

export async function copyDatastore(
  flags: DatastoreCopyFlags,
  surroundings: BackendOptions,
  say: (line: string) => void,
): Promise<void> {
  const { from, to, ...etcd } = flags;
  try {
    const source = optionsOf(from, etcd);
    const target = optionsOf(to, etcd);
    if (source.datastoreEndpoint === 'lmdb' && !existsSync(join(source.dataDir, 'db')))
      throw new CommandFailure(`there is no store in ${source.dataDir}: it has no directory db`);
    const opened = await openPlace(source, surroundings);
    try {
      const into = await openPlace(target, surroundings);
      try {
        const { records, leftBehind } = await copyRecords(opened, into, {
          lifeOf,
          onProgress: (done, of) => {
            if (done % progressEvery === 0 && done < of) say(`${done} of ${of} writes`);
          },
        });
        const left = leftBehind === 0 ? '' : `; ${leftBehind} that last for a minute were left behind`;
        say(`${records} records are copied from ${from} to ${to}${left}.`);
        say(nextStep(source, target));
      } finally {
        await into.close();
      }
    } finally {
      await opened.close();
    }
  } catch (error) {
    if (error instanceof CopyRefused)
      throw new CommandFailure(`cannot copy ${from} to ${to}: ${error.message}`, { cause: error });
    const isExpected = [BackendUnavailable, DatastoreError, DirectoryInUse, RecordTooLarge].some(
      (kind) => error instanceof kind,
    );
    if (isExpected) throw new CommandFailure((error as Error).message, { cause: error });
    throw error;
  }
}

function optionsOf(text: string, etcd: Omit<DatastoreCopyFlags, 'from' | 'to'>): DatastoreOptions {
  const dataDir = /^lmdb=(.+)$/s.exec(text)?.[1];
  // The files are named once, for whichever of the two is etcd.
  if (dataDir !== undefined) return { ...datastoreDefaults, dataDir, datastoreEndpoint: 'lmdb' };
  if (!text.startsWith('etcd='))
    throw new DatastoreError(`${JSON.stringify(text)} is none of lmdb=DIR and etcd=http://HOST:PORT,…`);
  parseDatastore(text);
  return { ...datastoreDefaults, ...etcd, dataDir: '', datastoreEndpoint: text, etcdCompactionIntervalMs: 0 };
}

const claims = '/jotasu/serviceclaims/';
const withEnd = kinds.filter(({ ttlSeconds }) => ttlSeconds > 0);

/** Events get their hour anew. Claims of addresses cover a moment in which no server runs now. */
const lifeOf = (key: string): number | undefined =>
  key.startsWith(claims)
    ? undefined
    : (withEnd.find(({ storagePrefix }) => key.startsWith(storagePrefix))?.ttlSeconds ?? 0);

function nextStep(source: DatastoreOptions, target: DatastoreOptions): string {
  if (target.datastoreEndpoint === 'lmdb')
    return `Start one server with --data-dir ${target.dataDir}, which needs the directory pki of a server on ${source.datastoreEndpoint}.`;
  const { dataDir } = source;
  const where = dataDir === '' ? 'that of a server so far' : dataDir;
  return `Start the first server on it with its data directory, ${where}: its certificates and keys are taken from there.`;
}
