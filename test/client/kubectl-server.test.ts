// The real kubectl against the API server over real TLS. What it prints is compared with what it prints against Kubernetes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServedApi, serveApi } from './served-api.ts';

const haveKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
if (!haveKubectl) console.warn('SKIPPED: no kubectl on the PATH; the API server was not tested with it');

let api: ServedApi;
const running = new Set<ChildProcess>();

interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `input` goes to standard input. Lines about versions that are far apart are not ours to judge. */
function kubectl(command: string, input = ''): Promise<Output> {
  const args = command.match(/(?:'[^']*'|[^\s'])+/g)!.map((word) => word.replaceAll("'", ''));
  return run('kubectl', args, input);
}

function run(program: string, args: readonly string[], input = ''): Promise<Output> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, KUBECONFIG: api.kubeconfig, HOME: api.dir };
    const child = spawn(program, args, { cwd: api.dir, env, timeout: 20_000 });
    running.add(child);
    const text = { out: '', err: '' };
    child.stdout.on('data', (chunk) => (text.out += chunk));
    child.stderr.on('data', (chunk) => (text.err += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      running.delete(child);
      resolve({ code: code ?? -1, ...text });
    });
    child.stdin.end(input);
  });
}

/** Standard output of a command that must work. */
async function ok(command: string, input = ''): Promise<string> {
  const { code, out, err } = await kubectl(command, input);
  expect({ command, code, err: code === 0 ? '' : err }).toEqual({ command, code: 0, err: '' });
  return out;
}

/** Standard error of a command that must fail. */
async function fails(command: string, input = ''): Promise<string> {
  const { code, err } = await kubectl(command, input);
  expect({ command, failed: code !== 0 }).toEqual({ command, failed: true });
  return err.trim();
}

const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "busybox:1.36"}]
`;

describe.skipIf(!haveKubectl)('kubectl', () => {
  beforeAll(async () => {
    api = await serveApi();
  });
  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL');
    await api?.stop();
  });

  test('finds its way: version, api-resources, api-versions, explain, raw paths', async () => {
    expect(await ok('version')).toContain('Server Version: v1.35.0');
    const resources = await ok('api-resources --no-headers');
    expect(resources).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment$/m);
    expect(resources).toMatch(/^nodes +no +v1 +false +Node$/m);
    expect(await ok('api-resources --verbs=list --namespaced=false -o name')).toContain('namespaces');
    expect((await ok('api-versions')).split('\n')).toEqual(expect.arrayContaining(['v1', 'apps/v1']));
    const explained = await ok('explain deployment.spec.template.spec.containers.resources');
    expect(explained).toMatch(/GROUP: +apps\nKIND: +Deployment\nVERSION: +v1/);
    expect(explained).toMatch(/requests\s<map\[string\]Quantity>/);
    expect(await ok('explain pods --recursive')).toContain('terminationGracePeriodSeconds');
    expect(await ok('get --raw /readyz?verbose')).toContain('readyz check passed');
    expect(await fails('get --raw /apis/none')).toBe(
      'Error from server (NotFound): the server could not find the requested resource',
    );
  });

  test('creates, applies and shows', async () => {
    expect(await ok('create -f - --save-config', web)).toBe('deployment.apps/web created\n');
    expect(await fails('create -f -', web)).toBe(
      'Error from server (AlreadyExists): error when creating "STDIN": deployments.apps "web" already exists',
    );
    expect(await ok('apply -f -', web)).toBe('deployment.apps/web unchanged\n');
    expect(await ok('apply -f -', web.replace('replicas: 2', 'replicas: 3'))).toBe(
      'deployment.apps/web configured\n',
    );
    expect(await ok('get deployments')).toMatch(
      /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/3 +0 +0 +\d+s\n$/,
    );
    expect(await ok('get deploy web -o wide --no-headers')).toMatch(
      /^web +0\/3 +0 +0 +\d+s +c +busybox:1.36 +app=web\n$/,
    );
    expect(await ok('get deploy/web -o name')).toBe('deployment.apps/web\n');
    expect(await ok("get deploy web -o jsonpath='{.spec.replicas}'")).toBe('3');
    expect(await ok("get deploy -o go-template='{{len .items}}'")).toBe('1');
    expect(await ok('get deploy -o custom-columns=N:.metadata.name,R:.spec.replicas')).toMatch(
      /^N +R\nweb +3\n$/,
    );
    expect(JSON.parse(await ok('get deploy web -o json'))).toMatchObject({
      kind: 'Deployment',
      spec: { replicas: 3 },
    });
    expect(await ok('get deploy web -o yaml')).toContain('\n  replicas: 3\n');
    expect(await ok('get deploy -A --show-labels')).toMatch(
      /^NAMESPACE +NAME.* LABELS\ndefault +web.* <none>\n$/,
    );
    expect(await ok('describe deploy web')).toMatch(/^Name: +web\nNamespace: +default\n/);
    expect(await ok('get all')).toContain('deployment.apps/web');
    expect(await ok('get deploy web --subresource=scale')).toMatch(
      /^NAME +DESIRED +AVAILABLE +AGE\nweb +3 +0/,
    );
    const diff = await kubectl('diff -f -', web.replace('replicas: 2', 'replicas: 4'));
    expect([diff.code, diff.out]).toEqual([
      1,
      expect.stringMatching(/^- {2}replicas: 3\n\+ {2}replicas: 4$/m),
    ]);
  });

  test('changes', async () => {
    expect(await ok('scale deploy web --replicas=5')).toBe('deployment.apps/web scaled\n');
    expect(await ok('label deploy web a=b')).toBe('deployment.apps/web labeled\n');
    expect(await ok('label deploy web a-')).toBe('deployment.apps/web unlabeled\n');
    expect(await ok('annotate deploy web x=y')).toBe('deployment.apps/web annotated\n');
    expect(await ok('set image deploy/web c=busybox:1.37')).toBe('deployment.apps/web image updated\n');
    expect(await ok('set env deploy/web A=B')).toBe('deployment.apps/web env updated\n');
    expect(await ok('rollout restart deploy web')).toBe('deployment.apps/web restarted\n');
    const json = `patch deploy web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":1}]'`;
    expect(await ok(json)).toBe('deployment.apps/web patched\n');
    expect(await ok(json)).toBe('deployment.apps/web patched (no change)\n');
    expect(await ok(`patch deploy web --type=merge -p '{"spec":{"replicas":4}}'`)).toBe(
      'deployment.apps/web patched\n',
    );
    expect(await ok(`patch deploy web -p '{"spec":{"paused":true}}'`)).toBe('deployment.apps/web patched\n');
    expect(
      await ok(`patch deploy web --subresource=status --type=merge -p '{"status":{"replicas":2}}'`),
    ).toBe('deployment.apps/web patched\n');
    expect(await ok('replace -f -', web)).toBe('deployment.apps/web replaced\n');
    expect(await ok('create deployment x --image=i --dry-run=server')).toBe(
      'deployment.apps/x created (server dry run)\n',
    );
    expect(await fails('get deploy x')).toBe('Error from server (NotFound): deployments.apps "x" not found');
    const editor = path.join(api.dir, 'editor.sh');
    fs.writeFileSync(editor, '#!/bin/sh\nsed -i "s/replicas: 2/replicas: 6/" "$1"\n', { mode: 0o755 });
    const edit = await run('env', [`KUBE_EDITOR=${editor}`, 'kubectl', 'edit', 'deploy', 'web']);
    expect(edit.out).toBe('deployment.apps/web edited\n');
    expect(await ok("get deploy web -o jsonpath='{.spec.replicas}'")).toBe('6');
  });

  test('nodes are labelled, tainted, cordoned', async () => {
    await ok('create -f -', '{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}');
    expect(await ok('taint node n1 a=b:NoSchedule')).toBe('node/n1 tainted\n');
    expect(await ok('taint node n1 a-')).toBe('node/n1 untainted\n');
    expect(await ok('cordon n1')).toBe('node/n1 cordoned\n');
    expect(await ok('get nodes --no-headers')).toMatch(/^n1 +Unknown,SchedulingDisabled +<none>/);
    expect(await ok('uncordon n1')).toBe('node/n1 uncordoned\n');
  });

  test('a pod through its life', async () => {
    expect(await ok('run p --image=busybox')).toBe('pod/p created\n');
    expect(await ok('get pod p --no-headers')).toMatch(/^p +0\/1 +Pending +0 +\d+s\n$/);
    expect(await ok('debug p --image=busybox --attach=false -q --profile=general')).toBe('');
    expect(await ok("get pod p -o jsonpath='{.spec.ephemeralContainers[*].image}'")).toBe('busybox');
    expect(await fails(`patch pod p -p '{"spec":{"nodeName":"x"}}'`)).toContain(
      'The Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than',
    );
    const waiting = kubectl('wait pod/p --for=delete --timeout=15s');
    expect(await ok('delete pod p')).toBe('pod "p" deleted\n');
    expect((await waiting).code).toBe(0);
  });

  test('watches', async () => {
    const env = { ...process.env, KUBECONFIG: api.kubeconfig };
    const child = spawn(
      'kubectl',
      ['get', 'cm', '-w', '--output-watch-events', '--no-headers', '-l', 'w=1'],
      { env },
    );
    running.add(child);
    let seen = '';
    let look = () => {};
    child.stdout.on('data', (chunk) => {
      seen += chunk;
      look();
    });
    const until = (text: string) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (seen.includes(text)) resolve();
        };
        look();
      });
    await ok('create cm w1 --from-literal=a=b');
    await ok('label cm w1 w=1');
    await until('ADDED');
    await ok('annotate cm w1 x=y');
    await until('MODIFIED');
    await ok('label cm w1 w-');
    await until('DELETED');
    child.kill('SIGKILL');
    expect(
      seen
        .replace(/ +\d+s$/gm, '')
        .split('\n')
        .filter(Boolean),
    ).toEqual([
      expect.stringMatching(/^ADDED +w1 +1$/),
      expect.stringMatching(/^MODIFIED +w1 +1$/),
      expect.stringMatching(/^DELETED +w1 +1$/),
    ]);
  });

  test('waits for conditions', async () => {
    await ok('create deployment waits --image=i');
    const waiting = kubectl('wait deploy/waits --for=condition=Available --timeout=15s');
    const conditions = [{ type: 'Available', status: 'True', reason: 'x', message: 'y' }];
    await ok(
      `patch deploy waits --subresource=status --type=merge -p '${JSON.stringify({ status: { conditions } })}'`,
    );
    expect(await waiting).toEqual({ code: 0, out: 'deployment.apps/waits condition met\n', err: '' });
    expect(await fails('wait deploy/waits --for=condition=Nope --timeout=1s')).toContain(
      'timed out waiting for the condition',
    );
  });

  test('kustomizes', async () => {
    const dir = path.join(api.dir, 'kustom');
    fs.mkdirSync(dir);
    fs.writeFileSync(path.join(dir, 'web.yaml'), web);
    fs.writeFileSync(
      path.join(dir, 'kustomization.yaml'),
      'namePrefix: k-\nresources: [web.yaml]\nconfigMapGenerator: [{name: settings, literals: [a=b]}]\n',
    );
    expect(await ok('apply -k kustom')).toMatch(
      /^configmap\/k-settings-\w+ created\ndeployment.apps\/k-web created\n$/,
    );
    expect(await ok('delete -k kustom')).toContain('deployment.apps "k-web" deleted');
  });

  test.each([
    ['background', undefined],
    ['foreground', '["foregroundDeletion"]'],
    ['orphan', '["orphan"]'],
  ])('deletes with cascade %s', async (cascade, finalizers) => {
    const name = `gone-${cascade}`;
    await ok(`create deployment ${name} --image=i`);
    expect(await ok(`delete deploy ${name} --cascade=${cascade} --wait=false`)).toBe(
      `deployment.apps "${name}" deleted\n`,
    );
    if (finalizers === undefined) expect(await fails(`get deploy ${name}`)).toContain('not found');
    else expect(await ok(`get deploy ${name} -o jsonpath='{.metadata.finalizers}'`)).toBe(finalizers);
  });

  test('acts as another only with the right to', async () => {
    expect(await fails('get pods --as alice')).toBe(
      'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
    );
    expect((await kubectl('get pods --as alice --as-group system:masters')).code).toBe(0);
  });

  test.each([
    ['get unicorns', '', `error: the server doesn't have a resource type "unicorns"`],
    ['get pods -n nowhere missing', '', 'Error from server (NotFound): namespaces "nowhere" not found'],
    [
      'get pods --field-selector foo=bar',
      '',
      'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", field selector "foo=bar": field label not supported: foo',
    ],
    ['create cm a -n nope', '', 'error: failed to create configmap: namespaces "nope" not found'],
    [
      'delete ns default',
      '',
      'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted',
    ],
    [
      'create -f -',
      web.replace('replicas', 'replicass').replace('web', 'zz'),
      'Error from server (BadRequest): error when creating "STDIN": Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replicass"',
    ],
    [
      'create -f -',
      web.replace('replicas: 2', 'replicas: "2"').replace('web', 'zz'),
      'Error from server (BadRequest): error when creating "STDIN": Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      'create -f -',
      web.replace('name: web', 'name: We_b'),
      /^The Deployment "We_b" is invalid: metadata.name: Invalid value: "We_b": a lowercase RFC 1123 subdomain must consist of/,
    ],
    [
      'apply -f -',
      'apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\n',
      /no matches for kind "Foo" in version "x.io\/v1"/,
    ],
    [`patch cm kube -p '{}'`, '', 'Error from server (NotFound): configmaps "kube" not found'],
    [
      `patch ns default --type=json -p '[{"op":"remove","path":"/spec/none"}]'`,
      '',
      /The request is invalid: the server rejected our request due to an error in our request$/,
    ],
    [
      'scale deploy none --replicas=1',
      '',
      'error: no objects passed to scale deployments.apps "none" not found',
    ],
  ] as [string, string, string | RegExp][])('says what is wrong: %s', async (command, input, message) => {
    const said = await fails(command, input);
    if (typeof message === 'string') expect(said).toBe(message);
    else expect(said).toMatch(message);
  });
});
