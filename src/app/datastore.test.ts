import { expect, test } from 'vitest';
import { systemClock as clock, silentLog as log } from '../base/index.ts';
import { DatastoreError, datastoreDefaults, openDatastore, parseDatastore } from './datastore.ts';

test.each([
  ['lmdb', { kind: 'lmdb' }],
  ['memory', { kind: 'memory' }],
  ['etcd=http://a:2379', { kind: 'etcd', endpoints: ['http://a:2379'] }],
  [
    'etcd=https://a,http://10.0.0.1:80/,https://[::1]:443',
    { kind: 'etcd', endpoints: ['https://a:2379', 'http://10.0.0.1:80', 'https://[::1]:443'] },
  ],
])('%s', (text, wanted) => expect(parseDatastore(text)).toEqual(wanted));

test.each([
  '',
  'sqlite',
  'etcd=',
  'etcd=a:2379',
  'etcd=http://a/x',
  'etcd=http://a,',
  'etcd=ftp://a',
  'http://a',
])('refuses %j', (text) => expect(() => parseDatastore(text)).toThrow(DatastoreError));

test.each([
  [{ datastoreEndpoint: 'lmdb', etcdCafile: '/ca' }, 'https'],
  [{ datastoreEndpoint: 'etcd=http://a', etcdCafile: '/ca' }, 'https'],
  [{ datastoreEndpoint: 'etcd=https://a', etcdCertfile: '/cert' }, 'go together'],
  [{ datastoreEndpoint: 'etcd=https://a', etcdPrefix: 'jotasu' }, 'must begin'],
  [{ datastoreEndpoint: 'etcd=https://a', etcdPrefix: '/' }, 'must begin'],
])('%j cannot be', async (options, why) => {
  const opening = openDatastore({ dataDir: '/nowhere', ...datastoreDefaults, ...options }, { clock, log });
  await expect(opening).rejects.toThrow(DatastoreError);
  await expect(opening).rejects.toThrow(why);
});
