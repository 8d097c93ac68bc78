// apply in both its forms, and what goes with it: last-applied annotations, conflicts, diff, prune, kustomize.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const program = findKubectl();
let server: ProgramServer;
let k: Kubectl;

const deployment = (name: string, spec = 'replicas: 2') => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  ${spec}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers: [{name: c, image: "busybox:1.36"}]
`;
const settings = (data: string) => `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: ${data}
`;

describe.skipIf(program === undefined)('kubectl', () => {
  beforeAll(async () => {
    server = await startProgram();
    k = new Kubectl(server);
  });
  afterAll(async () => {
    k?.stop();
    await server?.stop();
  });

  const field = (of: string, jsonpath: string) => k.ok(`get ${of} -o jsonpath='{${jsonpath}}'`);

  test('apply, by the client', async () => {
    await k.says('apply -f -', 'configmap/settings created', settings('{a: b, c: d}'));
    await k.says('apply -f -', 'configmap/settings unchanged', settings('{a: b, c: d}'));
    await k.ok(`patch cm settings -p '{"data":{"other":"x"}}'`);
    await k.says('apply -f -', 'configmap/settings configured', settings('{a: e}'));
    expect(JSON.parse(await field('cm settings', '.data'))).toEqual({ a: 'e', other: 'x' });
    await k.says('apply view-last-applied cm settings -o json', /"data": \{\n {2}"a": "e"/);
    await k.says(
      'apply -f - --dry-run=client',
      'configmap/settings configured (dry run)',
      settings('{a: f}'),
    );
    await k.says(
      'apply -f - --dry-run=server',
      'configmap/settings configured (server dry run)',
      settings('{a: f}'),
    );
    expect(await field('cm settings', '.data.a')).toBe('e');
    await k.ok('create cm made --from-literal=a=b');
    const warned = await k.run('apply -f -', { input: settings('{a: c}').replace('settings', 'made') });
    expect(warned).toMatchObject({
      out: 'configmap/made configured\n',
      err: expect.stringMatching(
        /^Warning: resource configmaps\/made is missing the kubectl.kubernetes.io\/last-applied-configuration annotation/,
      ),
    });
    await k.says('create -f - --save-config', 'deployment.apps/saved created', deployment('saved'));
    await k.says('apply -f -', 'deployment.apps/saved unchanged', deployment('saved'));
    await k.says('apply -f -', 'deployment.apps/saved configured', deployment('saved', 'minReadySeconds: 1'));
    expect(await field('deploy saved', '.spec.replicas')).toBe('1');
  });

  test('apply set-last-applied', async () => {
    await k.ok('create cm last --from-literal=a=b');
    const manifest = settings('{a: b}').replace('settings', 'last');
    await k.refuses(
      'apply set-last-applied -f -',
      'error: no last-applied-configuration annotation found on resource: last, to create the annotation, run the command with --create-annotation',
      manifest,
    );
    await k.says('apply set-last-applied --create-annotation -f -', 'configmap/last configured', manifest);
    await k.says('apply view-last-applied cm last -o json', /"name": "last"/);
  });

  test('apply, by the server', async () => {
    await k.says('apply --server-side -f -', 'deployment.apps/web serverside-applied', deployment('web'));
    await k.says('apply --server-side -f -', 'deployment.apps/web serverside-applied', deployment('web'));
    expect(await field('deploy web', '.metadata.generation')).toBe('1');
    await k.ok('scale deploy web --replicas=3');
    await k.refuses(
      'apply --server-side -f -',
      `error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the \`--force-conflicts\` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts`,
      deployment('web'),
    );
    await k.says(
      'apply --server-side --force-conflicts -f -',
      'deployment.apps/web serverside-applied',
      deployment('web'),
    );
    expect(await field('deploy web', '.spec.replicas')).toBe('2');
    // Without its replicas: nobody holds them any longer, so the default comes back.
    await k.says(
      'apply --server-side -f -',
      'deployment.apps/web serverside-applied',
      deployment('web', 'paused: true'),
    );
    expect(await field('deploy web', '.spec.replicas')).toBe('1');
    await k.refuses(
      'apply --server-side --field-manager=other -f -',
      /^error: Apply failed with 1 conflict: conflict with "kubectl": \.spec\.paused\n/,
      deployment('web', 'paused: false'),
    );
    await k.says(
      'apply --server-side --field-manager=other -f - --dry-run=server',
      'deployment.apps/web serverside-applied (server dry run)',
      deployment('web', 'paused: true'),
    );
    const managers = await k.json<{ metadata: { managedFields: { manager: string; operation: string }[] } }>(
      'get deploy web --show-managed-fields',
    );
    expect(
      managers.metadata.managedFields.map(({ manager, operation }) => `${manager} ${operation}`),
    ).toEqual(['kubectl Apply']);
  });

  test('apply goes over from the client to the server', async () => {
    const manifest = (data: string) => settings(data).replace('settings', 'moved');
    await k.ok('apply -f -', manifest('{a: b, c: d}'));
    await k.says('apply --server-side -f -', 'configmap/moved serverside-applied', manifest('{a: x}'));
    expect(JSON.parse(await field('cm moved', '.data'))).toEqual({ a: 'x' });
  });

  test.each([
    ['an unknown field', deployment('bad', 'replicass: 2'), '.spec.replicass: field not declared in schema'],
    [
      'a wrong type',
      deployment('bad', 'replicas: many'),
      '.spec.replicas: expected numeric (int or float), got string',
    ],
    [
      'an item twice',
      deployment('bad').replace('[{name: c,', '[{name: c, image: x}, {name: c,'),
      '.spec.template.spec.containers: duplicate entries for key [name="c"]',
    ],
  ])('server-side apply refuses %s', async (_, manifest, why) => {
    await k.refuses(
      'apply --server-side -f -',
      `Error from server: failed to create typed patch object (default/bad; apps/v1, Kind=Deployment): ${why}`,
      manifest,
    );
  });

  test('diff says what would change', async () => {
    await k.ok('apply -f -', deployment('diffed'));
    expect(await k.run('diff -f -', { input: deployment('diffed') })).toEqual({ code: 0, out: '', err: '' });
    for (const way of ['', ' --server-side']) {
      const { code, out } = await k.run(`diff -f -${way}`, {
        input: deployment('diffed', 'replicas: 4'),
      });
      expect([code, out]).toEqual([1, expect.stringMatching(/^- {2}replicas: 2\n\+ {2}replicas: 4$/m)]);
    }
    expect((await k.run('diff -f -', { input: deployment('undone') })).out).toMatch(/^\+ {2}name: undone$/m);
    expect(await k.ok('get deploy diffed -o name')).toBe('deployment.apps/diffed\n');
  });

  test('several files and folders at once; prune', async () => {
    const dir = path.join(k.dir, 'folder');
    fs.mkdirSync(dir);
    const one = (name: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, labels: {set: s}}\n`;
    fs.writeFileSync(path.join(dir, 'a.yaml'), `${one('a1')}---\n${one('a2')}`);
    fs.writeFileSync(
      path.join(dir, 'b.json'),
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b1', labels: { set: 's' } } }],
      }),
    );
    const all = ['a1', 'a2', 'b1'].map((name) => `configmap/${name} created`).join('\n');
    await k.says('apply -f folder --prune -l set=s --prune-allowlist=core/v1/ConfigMap', all);
    fs.writeFileSync(path.join(dir, 'a.yaml'), one('a1'));
    await k.says(
      'apply -f folder --prune -l set=s --prune-allowlist=core/v1/ConfigMap',
      'configmap/a1 unchanged\nconfigmap/b1 unchanged\nconfigmap/a2 pruned',
    );
    await k.says('delete -f folder', 'configmap "a1" deleted\nconfigmap "b1" deleted');
  });

  test('kustomize', async () => {
    const dir = path.join(k.dir, 'kustom');
    fs.mkdirSync(dir);
    fs.writeFileSync(path.join(dir, 'web.yaml'), deployment('web'));
    fs.writeFileSync(
      path.join(dir, 'kustomization.yaml'),
      'namePrefix: k-\nresources: [web.yaml]\nreplicas: [{name: web, count: 7}]\nconfigMapGenerator: [{name: settings, literals: [a=b]}]\n',
    );
    await k.says('apply -k kustom', /^configmap\/k-settings-\w+ created\ndeployment.apps\/k-web created$/);
    expect(await field('deploy k-web', '.spec.replicas')).toBe('7');
    await k.says('get -k kustom -o name', /^configmap\/k-settings-\w+\ndeployment.apps\/k-web$/);
    await k.says('delete -k kustom', /^configmap "k-settings-\w+" deleted\ndeployment.apps "k-web" deleted$/);
  });
});
