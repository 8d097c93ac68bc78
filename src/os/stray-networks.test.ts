// Which namespaces and addresses are nobody's.
import { expect, test } from 'vitest';
import { type NamespaceFile, strayNetworks } from './stray-networks.ts';

const startedMs = 1_000;
const namespace = (file: string, more: Partial<NamespaceFile> = {}): NamespaceFile => ({
  file,
  changedMs: 500,
  mounted: true,
  used: false,
  ...more,
});

test('a namespace that is old and without a process', () => {
  const namespaces = [
    namespace('forgotten'),
    namespace('never mounted', { mounted: false }),
    namespace('used', { used: true }),
    namespace('in the making', { changedMs: startedMs }),
  ];
  const found = strayNetworks({ namespaces, files: [] }, { sandboxes: new Set(), startedMs });
  expect(found.namespaces.map(({ file }) => file)).toEqual(['forgotten', 'never mounted']);
});

test('a lease that is old and of no sandbox', () => {
  const files = [
    { file: '10.0.0.2', changedMs: 500, sandbox: 'forgotten' },
    { file: '10.0.0.3', changedMs: 500, sandbox: 'known' },
    { file: '10.0.0.4', changedMs: startedMs, sandbox: 'in the making' },
  ];
  const sandboxes = new Set(['known']);
  const found = strayNetworks({ namespaces: [], files }, { sandboxes, startedMs });
  expect(found.files).toEqual(['10.0.0.2']);
});
