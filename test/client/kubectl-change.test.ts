// Commands that change one thing of an object that is there: label, annotate, taint, scale, set, rollout, patch, edit.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const program = findKubectl();
let server: ProgramServer;
let k: Kubectl;

const deployment = (name: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "busybox:1.36"}]
`;

describe.skipIf(program === undefined)('kubectl', () => {
  beforeAll(async () => {
    server = await startProgram();
    k = new Kubectl(server);
    await k.ok('create -f -', '{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}');
    await k.ok('create cm settings --from-literal=key=value');
    await k.ok('create svc clusterip web --tcp=80');
    await k.ok('run p --image=busybox');
  });
  beforeEach(() => k.ok('replace --force -f -', deployment('web')));
  afterAll(async () => {
    k?.stop();
    await server?.stop();
  });

  const field = (jsonpath: string, of = 'deploy web') => k.ok(`get ${of} -o jsonpath='{${jsonpath}}'`);
  const container = '.spec.template.spec.containers[0]';

  test('label and annotate', async () => {
    await k.says('label cm settings a=b c=d', 'configmap/settings labeled');
    await k.refuses('label cm settings a=x', `error: 'a' already has a value (b), and --overwrite is false`);
    await k.says('label cm settings a=x --overwrite', 'configmap/settings labeled');
    await k.says('label cm settings a=x', 'configmap/settings not labeled');
    await k.says('label cm settings a- c-', 'configmap/settings unlabeled');
    await k.says('label cm settings --list', '');
    await k.says('annotate cm settings x=y', 'configmap/settings annotated');
    await k.refuses(
      'annotate cm settings x=z',
      "error: --overwrite is false but found the following declared annotation(s): 'x' already has a value (y)",
    );
    await k.says('annotate cm settings x-', 'configmap/settings annotated');
    expect(await field('.metadata.annotations', 'cm settings')).toBe('');
    await k.refuses(
      "label cm settings 'bad key=v'",
      /^The ConfigMap "settings" is invalid: metadata.labels: Invalid value: "bad key": name part must consist of alphanumeric/,
    );
    await k.refuses('label pods -l app=none a=b --resource-version=1', /./);
  });

  test('taint, cordon, uncordon, drain', async () => {
    await k.says('taint node n1 a=b:NoSchedule e:PreferNoSchedule', 'node/n1 tainted');
    await k.refuses(
      'taint node n1 a=x:NoSchedule',
      'error: node n1 already has a taint(s) with same effect(s) and --overwrite is false',
    );
    await k.says('taint node n1 a=x:NoSchedule --overwrite', 'node/n1 modified');
    // The first is a new node's, until somebody sees that it is ready.
    const taints = JSON.parse(await field('.spec.taints', 'node n1'));
    const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1);
    expect(taints.sort(byKey)).toEqual([
      { effect: 'NoSchedule', key: 'a', value: 'x' },
      { effect: 'PreferNoSchedule', key: 'e' },
      { effect: 'NoSchedule', key: 'node.kubernetes.io/not-ready' },
    ]);
    await k.says('taint node n1 a- e-', 'node/n1 untainted');
    await k.refuses('taint node n1 a-', 'error: taint "a" not found');
    await k.says('cordon n1', 'node/n1 cordoned');
    await k.says('get node n1 --no-headers', /^n1 {2}Unknown,SchedulingDisabled/);
    await k.ok(
      'create -f -',
      '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"on-n1"},"spec":{"nodeName":"n1","terminationGracePeriodSeconds":0,"containers":[{"name":"c","image":"i"}]}}',
    );
    await k.refuses(
      'drain n1',
      /cannot delete cannot delete Pods that declare no controller|cannot delete Pods that declare no controller/,
    );
    await k.says(
      'drain n1 --force --grace-period=0',
      'node/n1 already cordoned\nevicting pod default/on-n1\npod/on-n1 evicted\nnode/n1 drained',
    );
    await k.says('uncordon n1', 'node/n1 uncordoned');
    await k.says('uncordon n1', 'node/n1 already uncordoned');
  });

  test('scale', async () => {
    await k.says('scale deploy web --replicas=5', 'deployment.apps/web scaled');
    await k.refuses(
      'scale deploy web --current-replicas=3 --replicas=1',
      'error: Expected replicas to be 3, was 5',
    );
    await k.says('get deploy web --subresource=scale --no-headers', /^web {2}5 {2}0 {2}\d+s$/);
    await k.refuses(
      'scale cm settings --replicas=1',
      'Error from server (NotFound): the server could not find the requested resource',
    );
    await k.refuses(
      'scale deploy none --replicas=1',
      'error: no objects passed to scale deployments.apps "none" not found',
    );
    expect(await field('.spec.replicas} {.metadata.generation')).toBe('5 2');
  });

  test('set image, env, resources, selector, serviceaccount, subject', async () => {
    await k.says('set image deploy/web c=busybox:1.37', 'deployment.apps/web image updated');
    await k.refuses('set image deploy/web x=y', 'error: unable to find container named "x"');
    await k.says('set env deploy/web A=b --from=configmap/settings', 'deployment.apps/web env updated');
    await k.says('set env deploy/web A-', 'deployment.apps/web env updated');
    await k.says(
      'set env deploy/web --list',
      /^# Deployment web, container c\n# KEY from configmap settings, key key$/,
    );
    await k.says(
      'set resources deploy web --requests=cpu=100m --limits=cpu=0.2,memory=1Gi',
      'deployment.apps/web resource requirements updated',
    );
    await k.says('set serviceaccount deploy web robot', 'deployment.apps/web serviceaccount updated');
    expect(JSON.parse(await field(container))).toMatchObject({
      image: 'busybox:1.37',
      env: [{ name: 'KEY', valueFrom: { configMapKeyRef: { key: 'key', name: 'settings' } } }],
      resources: { limits: { cpu: '200m', memory: '1Gi' }, requests: { cpu: '100m' } },
    });
    expect(await field('.spec.template.spec.serviceAccountName} {.spec.template.spec.serviceAccount')).toBe(
      'robot robot',
    );
    await k.says('set selector svc web x=y', 'service/web selector updated');
    expect(await field('.spec.selector', 'svc web')).toBe('{"x":"y"}');
    await k.ok('create rolebinding rb --role=r --user=alice');
    await k.says(
      'set subject rolebinding rb --group=g',
      'rolebinding.rbac.authorization.k8s.io/rb subjects updated',
    );
  });

  test('rollout, as far as it goes without controllers', async () => {
    await k.says('rollout pause deploy web', 'deployment.apps/web paused');
    await k.refuses('rollout pause deploy web', 'error: deployments.apps "web" is already paused');
    await k.refuses(
      'rollout restart deploy web',
      'error: deployments.apps "web" can\'t restart paused deployment (run rollout resume first)',
    );
    await k.says('rollout resume deploy web', 'deployment.apps/web resumed');
    await k.says('rollout restart deploy web', 'deployment.apps/web restarted');
    expect(await field('.spec.template.metadata.annotations')).toMatch(
      /kubectl.kubernetes.io\/restartedAt":"\d{4}-/,
    );
    await k.says('rollout history deploy web', 'deployment.apps/web\nNo rollout history found.');
    await k.refuses('rollout undo deploy web', 'error: no rollout history found for deployment "web"');
    const status = k.follow('rollout status deploy web');
    await status.until('\n');
    expect(status.stop()).toEqual(['Waiting for deployment spec update to be observed...']);
    await k.refuses('rollout status deploy web --timeout=1s', 'error: timed out waiting for the condition');
  });

  test('patch of every type', async () => {
    const json = `patch deploy web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":1}]'`;
    await k.says(json, 'deployment.apps/web patched');
    await k.says(json, 'deployment.apps/web patched (no change)');
    await k.says(
      `patch deploy web --type=merge -p '{"spec":{"paused":true,"replicas":null}}'`,
      'deployment.apps/web patched',
    );
    expect(await field('.spec.paused} {.spec.replicas')).toBe('true 1');
    await k.says(
      `patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"i"},{"name":"c","image":"j"}]}}}}'`,
      'deployment.apps/web patched',
    );
    expect(await field('.spec.template.spec.containers[*].image')).toBe('i j');
    await k.says(
      `patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"d","$patch":"delete"}]}}}}'`,
      'deployment.apps/web patched',
    );
    expect(await field('.spec.template.spec.containers[*].name')).toBe('c');
    fs.writeFileSync(path.join(k.dir, 'patch.yaml'), 'metadata:\n  labels:\n    from: file\n');
    await k.says('patch deploy web --patch-file patch.yaml', 'deployment.apps/web patched');
    await k.says(
      `patch deploy web --type=merge -p '{"spec":{"replicas":9}}' --dry-run=server`,
      'deployment.apps/web patched',
    );
    await k.says(
      `patch deploy web --subresource=status --type=merge -p '{"status":{"replicas":3},"spec":{"replicas":7}}'`,
      'deployment.apps/web patched',
    );
    expect(await field('.status.replicas} {.spec.replicas')).toBe('3 1');
    await k.says(
      `patch deploy web --subresource=scale --type=merge -p '{"spec":{"replicas":4}}'`,
      'scale.autoscaling/web patched',
    );
    await k.says(`patch pod p -p '{"spec":{"containers":[{"name":"p","image":"new"}]}}'`, 'pod/p patched');
    await k.says('debug p --image=busybox --attach=false -q --profile=general', '');
    expect(await field('.spec.ephemeralContainers[*].image', 'pod p')).toBe('busybox');
  });

  test('edit', async () => {
    const editor = path.join(k.dir, 'editor.sh');
    fs.writeFileSync(editor, '#!/bin/sh\nsed -i "$EDIT" "$1"\n', { mode: 0o755 });
    const edit = (script: string, what = 'deploy web') =>
      k.run(`edit ${what}`, { env: { KUBE_EDITOR: editor, EDIT: script, TMPDIR: k.dir } });
    expect(await edit('s/replicas: 2/replicas: 6/')).toEqual({
      code: 0,
      out: 'deployment.apps/web edited\n',
      err: '',
    });
    expect(await field('.spec.replicas')).toBe('6');
    expect((await edit('s/nothing/to do/')).err).toBe('Edit cancelled, no changes made.\n');
    const bad = await edit('s/replicas: 6/replicas: many/');
    expect([bad.code, bad.err]).toEqual([
      1,
      expect.stringMatching(/^error: deployments.apps "web" is invalid\n/),
    ]);
    const renamed = await edit('s/^  name: web$/  name: other/');
    expect(renamed.err).toContain('error: At least one of apiVersion, kind and name was changed');
    expect(await edit('s/value/changed/', 'cm settings')).toMatchObject({
      code: 0,
      out: 'configmap/settings edited\n',
    });
    expect(await field('.data.key', 'cm settings')).toBe('changed');
  });

  test('replace, of the version that was seen', async () => {
    const seen = await k.ok('get deploy web -o yaml');
    await k.says('replace -f -', 'deployment.apps/web replaced', seen.replace('replicas: 2', 'replicas: 3'));
    await k.refuses(
      'replace -f -',
      'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on deployments.apps "web": the object has been modified; please apply your changes to the latest version and try again',
      seen,
    );
    await k.says(
      'replace --force -f -',
      'deployment.apps "web" deleted\ndeployment.apps/web replaced',
      deployment('web'),
    );
    await k.refuses(
      'replace -f -',
      'Error from server (NotFound): error when replacing "STDIN": deployments.apps "none" not found',
      deployment('none'),
    );
    await k.says('get deploy web -o yaml --subresource=status', /^apiVersion: apps\/v1\nkind: Deployment/);
    await k.says('replace --subresource=status -f -', 'deployment.apps/web replaced', deployment('web'));
  });
});
