// Programs of Debian that know Kubernetes and not us: its client library for Python, and promtool, by which Prometheus judges what it is
// to scrape. What more of the kind was tried by hand, and what it found, is in docs/conformance.md.
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl, without } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

/** Not whatever python3 comes first in the PATH: Debian's packages are Debian's python's. */
const python = '/usr/bin/python3';
const works = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;
const hasLibrary =
  works(python, '-c', 'import kubernetes') || without('python3-kubernetes', `${python} does not find it`);
const hasPromtool = works('promtool', '--version') || without('promtool', 'it is in the package prometheus');
const kubectl = findKubectl();

let server: ProgramServer;
beforeAll(async () => {
  server = await startProgram({ simulateNodes: 1 });
});
afterAll(() => server?.stop());

interface Ran {
  readonly code: number | null;
  readonly out: string;
}

function run(program: string, args: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(program, args, { env: { PATH: process.env['PATH'], HOME: server.dir } });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (out += chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out }));
  });
}

const objects = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: crontabs, kind: CronTab}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.ready}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {replicas: {type: integer, minimum: 0}}}
            status: {type: object, properties: {ready: {type: integer}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: from-yaml}
`;

describe.skipIf(!hasLibrary)('the client library for Python', () => {
  test('deploys, patches, watches, pages, and knows resources of others', async () => {
    fs.writeFileSync(path.join(server.dir, 'objects.yaml'), objects);
    const script = path.join(import.meta.dirname, 'python-client.py');
    const { code, out } = await run(python, [script, server.kubeconfig, server.dir]);
    expect({ code, out }).toEqual({
      code: 0,
      out: 'deploys\npatches\nwatches_on\npages\ncreates_from_yaml\ncustom_objects\ndynamic_client\n',
    });
  });
});

/** Names that Kubernetes gave them, against the advice of Prometheus. */
const knownAdvice = [
  'authenticated_user_requests counter metrics should have "_total" suffix',
  'authentication_attempts counter metrics should have "_total" suffix',
];

describe.skipIf(!hasPromtool || kubectl === undefined)('promtool', () => {
  test.each(['/metrics', '/metrics/slis'])('%s is as Prometheus wants it', async (page) => {
    const text = await new Kubectl(server).ok(`get --raw ${page}`);
    expect(text.split('\n').length).toBeGreaterThan(10);
    const { out } = await run('promtool', ['check', 'metrics'], `${text}\n`);
    expect(out.split('\n').filter((line) => line !== '' && !knownAdvice.includes(line))).toEqual([]);
  });
});
