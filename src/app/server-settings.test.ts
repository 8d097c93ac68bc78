// What the options of a server come to, and which of them are refused before anything is opened.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TokenFileError } from '../apiserver/index.ts';
import { ElectionTimingError } from '../client/index.ts';
import { DatastoreError } from './datastore.ts';
import { type ServerOptions, serverDefaults } from './server-options.ts';
import { readServerSettings } from './server-settings.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'jotasu-settings-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const file = (text: string): string => {
  const path = join(directory, 'file');
  writeFileSync(path, text);
  return path;
};
const read = (options: Partial<ServerOptions>) => readServerSettings({ ...serverDefaults, ...options });
const etcd = { datastoreEndpoint: 'etcd=http://127.0.0.1:2379' };

test('nothing is asked for', async () => {
  expect(await read({})).toEqual({
    users: undefined,
    election: null,
    simulation: undefined,
    scheduling: undefined,
  });
});

test('roles are elected over a store that other servers may use too', async () => {
  const { election } = await read({ ...etcd, token: 'abc' });
  expect(election).toEqual({ leaseDurationMs: 4000, renewDeadlineMs: 3000, retryPeriodMs: 1000 });
});

test('users of a token file', async () => {
  const { users } = await read({ tokenAuthFile: file('secret,ann,1\n') });
  expect(users?.get('secret')?.name).toBe('ann');
});

test.each<[string, Partial<ServerOptions>, number]>([
  ['so many', { simulateNodes: 3 }, 3],
  ['only those that others make', { simulateNodes: 0 }, 0],
  ['only those of groups', { simulateNodeGroups: [{ name: 'a', min: 0, max: 2 }] }, 0],
])('simulated nodes: %s', async (_, options, nodes) => {
  const { simulation } = await read({ ...options, scaleDownUnneededTimeMs: 5, scaleDownDelayAfterAddMs: 7 });
  expect(simulation).toMatchObject({
    nodes,
    groups: options.simulateNodeGroups ?? [],
    scaleDown: { unneededMs: 5, delayAfterAddMs: 7 },
  });
});

test('a simulation of a file that is none', async () => {
  await expect(read({ simulateNodes: 1, simulation: file('nodes: 3\n') })).rejects.toMatchObject({
    name: 'ScriptError',
  });
});

test.each<[string, Partial<ServerOptions>, new (...of: never[]) => Error]>([
  ['a datastore that is none', { datastoreEndpoint: 'sqlite' }, DatastoreError],
  ['a token where no other server can be', { token: 'abc' }, DatastoreError],
  ['and a file with one', { tokenFile: '/token' }, DatastoreError],
  [
    'leases that end before they are renewed',
    { ...etcd, leaderElectLeaseDurationMs: 1 },
    ElectionTimingError,
  ],
])('refused: %s', async (_, options, error) => {
  await expect(read(options)).rejects.toThrow(error);
});

test('the times of elections are of no concern to the only server', async () => {
  expect((await read({ leaderElectLeaseDurationMs: 1 })).election).toBeNull();
});

test('a token file that cannot be read as one', async () => {
  await expect(read({ tokenAuthFile: file('secret\n') })).rejects.toThrow(TokenFileError);
});
