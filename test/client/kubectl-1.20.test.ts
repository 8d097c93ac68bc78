// The kubectl of Debian 12, five years older than the API that it talks to: it checks manifests against /openapi/v2, knows no
// field validation of the server's, and asks for versions of which some are gone.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl120, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const program = findKubectl120();
let server: ProgramServer;
let k: Kubectl;

const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "busybox:1.36"}]
`;

describe.skipIf(program === undefined)('kubectl 1.20', () => {
  beforeAll(async () => {
    server = await startProgram();
    k = new Kubectl({ ...server, program: program ?? '' });
  });
  afterAll(async () => {
    k?.stop();
    await server?.stop();
  });

  const field = (of: string, jsonpath: string) => k.ok(`get ${of} -o jsonpath='{${jsonpath}}'`);

  test('finds its way', async () => {
    await k.says('version --short', /Client Version: v1\.20\.\d+\S*\nServer Version: v1\.35\./);
    expect(await k.ok('api-resources --no-headers')).toMatch(
      /^deployments +deploy +apps\/v1 +true +Deployment$/m,
    );
    expect((await k.ok('api-versions')).split('\n')).toEqual(expect.arrayContaining(['v1', 'apps/v1']));
    await k.says(
      'explain deployment.spec.replicas',
      /^KIND: {2}Deployment\nVERSION: {2}apps\/v1\n\nFIELD: {2}replicas <integer>/,
    );
    expect(await k.ok('explain pods --recursive')).toContain('terminationGracePeriodSeconds');
    expect(await k.ok('get --raw /readyz')).toBe('ok');
    expect((await k.ok('cluster-info')).replaceAll(/\x1b\[[\d;]*m/g, '')).toContain(
      `is running at ${server.url}\n`,
    );
  });

  test('create, apply, get, describe, diff', async () => {
    await k.says('create -f - --save-config', 'deployment.apps/web created', web);
    await k.refuses(
      'create -f -',
      'Error from server (AlreadyExists): error when creating "STDIN": deployments.apps "web" already exists',
      web,
    );
    await k.says('apply -f -', 'deployment.apps/web unchanged', web);
    await k.says('apply -f -', 'deployment.apps/web configured', web.replace('replicas: 2', 'replicas: 3'));
    await k.says(
      'get deploy -o wide --no-headers',
      /^web {2}0\/3 {2}0 {2}0 {2}\d+s {2}c {2}busybox:1.36 {2}app=web$/,
    );
    await k.says('get deploy -A --show-labels --no-headers', /^default {2}web {2}.* {2}app=web$/);
    await k.says('get deploy -o custom-columns=N:.metadata.name,R:.spec.replicas', 'N  R\nweb  3');
    await k.says("get deploy -o go-template='{{len .items}}'", '1');
    await k.says('describe deploy web', /^Name: {2}web\nNamespace: {2}default\n/);
    await k.says('get all -o name', /deployment.apps\/web$/);
    const diff = await k.run('diff -f -', { input: web.replace('replicas: 2', 'replicas: 4') });
    expect([diff.code, diff.out]).toEqual([
      1,
      expect.stringMatching(/^- {2}replicas: 3\n\+ {2}replicas: 4$/m),
    ]);
    await k.says('apply --server-side --force-conflicts -f -', 'deployment.apps/web serverside-applied', web);
    expect(await field('deploy web', '.spec.replicas')).toBe('2');
    await k.says('replace -f -', 'deployment.apps/web replaced', web);
  });

  test('makes things by itself', async () => {
    for (const [command, made] of [
      ['create deployment d --image=i --replicas=2', 'deployment.apps/d created'],
      ['create cm c --from-literal=a=b', 'configmap/c created'],
      ['create secret generic s --from-literal=a=b', 'secret/s created'],
      ['create service clusterip d --tcp=80', 'service/d created'],
      ['expose deployment d --name=e --port=80', 'service/e exposed'],
      ['create job j --image=i', 'job.batch/j created'],
      ['create ingress i --rule=a.example.com/x=d:80', 'ingress.networking.k8s.io/i created'],
      ['create role r --verb=get --resource=pods', 'role.rbac.authorization.k8s.io/r created'],
      ['create rolebinding rb --role=r --user=u', 'rolebinding.rbac.authorization.k8s.io/rb created'],
      ['create quota q --hard=pods=3', 'resourcequota/q created'],
      ['create priorityclass pc --value=5', 'priorityclass.scheduling.k8s.io/pc created'],
      ['create sa robot', 'serviceaccount/robot created'],
      ['create ns n', 'namespace/n created'],
      ['autoscale deployment d --max=3 --cpu-percent=50', 'horizontalpodautoscaler.autoscaling/d autoscaled'],
      ['run p --image=busybox', 'pod/p created'],
    ] as const)
      await k.says(command, made);
    await k.says(
      'get hpa --no-headers',
      /^d {2}Deployment\/d {2}cpu: <unknown>\/50% {2}1 {2}3 {2}0 {2}\d+s$/,
    );
    await k.says('describe hpa d', /Target CPU utilization: {2}50%/);
    await k.says('describe pod p', /^Name: {2}p\n/);
    await k.says('describe ing i', /a\.example\.com/);
    // Versions that Kubernetes 1.25 took away.
    await k.refuses(
      'create pdb b --selector=a=b --min-available=1',
      'error: no matches for kind "PodDisruptionBudget" in version "policy/v1beta1"',
    );
    await k.refuses(
      "create cronjob cj --image=i --schedule='* * * * *'",
      'error: failed to create cronjob: the server could not find the requested resource',
    );
  });

  test('changes', async () => {
    await k.says('scale deploy web --replicas=5', 'deployment.apps/web scaled');
    await k.says('label deploy web a=b', 'deployment.apps/web labeled');
    await k.says('annotate deploy web x=y', 'deployment.apps/web annotated');
    await k.says('set image deploy/web c=busybox:1.37', 'deployment.apps/web image updated');
    await k.says('set env deploy/web A=B', 'deployment.apps/web env updated');
    await k.says('rollout restart deploy web', 'deployment.apps/web restarted');
    const json = `patch deploy web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":1}]'`;
    await k.says(json, 'deployment.apps/web patched');
    await k.says(json, 'deployment.apps/web patched (no change)');
    await k.says(`patch deploy web -p '{"spec":{"paused":true}}'`, 'deployment.apps/web patched');
    await k.says(
      `patch deploy web --type=merge -p '{"spec":{"paused":null}}'`,
      'deployment.apps/web patched',
    );
    const editor = path.join(k.dir, 'editor.sh');
    fs.writeFileSync(editor, '#!/bin/sh\nsed -i "s/replicas: 1/replicas: 6/" "$1"\n', { mode: 0o755 });
    expect(await k.run('edit deploy web', { env: { KUBE_EDITOR: editor } })).toMatchObject({
      out: 'deployment.apps/web edited\n',
    });
    expect(await field('deploy web', '.spec.replicas')).toBe('6');
  });

  test('a node is tainted and drained: eviction by its old name', async () => {
    await k.ok('create -f -', '{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}');
    await k.says('taint node n1 a=b:NoSchedule', 'node/n1 tainted');
    await k.ok(
      'create -f -',
      '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"on-n1"},"spec":{"nodeName":"n1","containers":[{"name":"c","image":"i"}]}}',
    );
    await k.says(
      'drain n1 --force --grace-period=0',
      'node/n1 cordoned\nevicting pod default/on-n1\npod/on-n1 evicted\nnode/n1 evicted',
    );
    await k.says('uncordon n1', 'node/n1 uncordoned');
  });

  test('waits, watches, deletes', async () => {
    const follower = k.follow('get cm -w --output-watch-events --no-headers -l w=1');
    await k.ok('create cm w1 --from-literal=a=b');
    await k.ok('label cm w1 w=1');
    await follower.until('ADDED');
    await k.ok('annotate cm w1 x=y');
    await follower.until('MODIFIED');
    await k.ok('label cm w1 w-');
    await follower.until('DELETED');
    expect(follower.stop()).toHaveLength(3);
    const waiting = k.run('wait deploy/web --for=condition=Available --timeout=90s');
    const { kind, apiVersion, metadata, spec } = await k.json('get deploy web');
    const conditions = [{ type: 'Available', status: 'True' }];
    await k.ok(
      'replace --raw /apis/apps/v1/namespaces/default/deployments/web/status -f -',
      JSON.stringify({ kind, apiVersion, metadata, spec, status: { conditions } }),
    );
    expect(await waiting).toEqual({ code: 0, out: 'deployment.apps/web condition met\n', err: '' });
    await k.says('delete pod p', 'pod "p" deleted');
    await k.says('delete deploy d --cascade=foreground --wait=false', 'deployment.apps "d" deleted');
    expect(await field('deploy d', '.metadata.finalizers')).toBe('["foregroundDeletion"]');
    await k.says(
      'delete cm,secret --all',
      /^configmap "c" deleted\nconfigmap "w1" deleted\nsecret "s" deleted$/,
    );
  });

  test.concurrent.each<[string, string, string | RegExp]>([
    [
      'create -f -',
      web.replace('replicas:', 'replicass:'),
      'error: error validating "STDIN": error validating data: ValidationError(Deployment.spec): unknown field "replicass" in io.k8s.api.apps.v1.DeploymentSpec; if you choose to ignore these errors, turn validation off with --validate=false',
    ],
    [
      'create -f -',
      web.replace('replicas: 2', 'replicas: "2"'),
      /ValidationError\(Deployment.spec.replicas\): invalid type for io.k8s.api.apps.v1.DeploymentSpec.replicas: got "string", expected "integer"/,
    ],
    [
      'create -f -',
      web.replace(/ {2}selector.*\n/, ''),
      /ValidationError\(Deployment.spec\): missing required field "selector" in io.k8s.api.apps.v1.DeploymentSpec/,
    ],
    [
      'create -f -',
      'apiVersion: apps/v1\nkind: Nope\nmetadata: {name: a}\n',
      'error: unable to recognize "STDIN": no matches for kind "Nope" in version "apps/v1"',
    ],
    ['get unicorns', '', `error: the server doesn't have a resource type "unicorns"`],
    ['get pods none', '', 'Error from server (NotFound): pods "none" not found'],
    [
      'get pods --as alice',
      '',
      'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
    ],
  ])('%s is refused', (command, input, message) => k.refuses(command, message, input));
});
