// Rights by role, as users of kubectl give and use them; and a program that finds the cluster as one in a pod does.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const program = findKubectl();
const group = 'rbac.authorization.k8s.io';
let server: ProgramServer;
let k: Kubectl;

const templates = `apiVersion: ${group}/v1
kind: ClusterRole
metadata:
  name: templates-view
  labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}
rules: [{apiGroups: [""], resources: [podtemplates], verbs: [get, list, watch]}]
`;
const reconciled = (verbs: string, user: string) => `apiVersion: ${group}/v1
kind: Role
metadata: {name: kept, namespace: default}
rules: [{apiGroups: [""], resources: [pods], verbs: [${verbs}]}]
---
apiVersion: ${group}/v1
kind: RoleBinding
metadata: {name: kept, namespace: default}
roleRef: {apiGroup: ${group}, kind: Role, name: kept}
subjects: [{apiGroup: ${group}, kind: User, name: ${user}}]
`;

describe.skipIf(program === undefined)('kubectl', () => {
  beforeAll(async () => {
    server = await startProgram({ controllers: true });
    k = new Kubectl(server);
    await k.ok('create sa robot');
    await k.says(
      'create role pod-reader --verb=get,list,watch --resource=pods,pods/log',
      `role.${group}/pod-reader created`,
    );
    await k.says(
      'create rolebinding robot --role=pod-reader --serviceaccount=default:robot',
      `rolebinding.${group}/robot created`,
    );
    await k.says(
      'create clusterrole node-lister --verb=list --resource=nodes',
      `clusterrole.${group}/node-lister created`,
    );
    await k.says(
      'create clusterrolebinding zoe --clusterrole=node-lister --user=zoe',
      `clusterrolebinding.${group}/zoe created`,
    );
    await k.ok('create rolebinding zoe-admin --clusterrole=admin --user=zoe');
  });
  afterAll(async () => {
    k?.stop();
    await server?.stop();
  });

  test('a user may what his roles say, where they say it', async () => {
    await k.ok('--as zoe get nodes');
    await k.ok('--as zoe create deployment web --image=i');
    await k.says('--as zoe get deploy web -o name', 'deployment.apps/web');
    await k.refuses(
      '--as zoe -n kube-system get deploy',
      'Error from server (Forbidden): deployments.apps is forbidden: User "zoe" cannot list resource "deployments" in API group "apps" in the namespace "kube-system"',
    );
    await k.refuses(
      '--as zoe delete node x',
      'Error from server (Forbidden): nodes "x" is forbidden: User "zoe" cannot delete resource "nodes" in API group "" at the cluster scope',
    );
    await k.refuses('--as zoe --as-group devs get pods --as-uid=u -n other', /cannot list resource "pods"/);
  });

  test('who may impersonate is a right as well', async () => {
    await k.ok('create clusterrole robots --verb=impersonate --resource=serviceaccounts');
    await k.ok('create rolebinding robots --clusterrole=robots --user=yan');
    await k.says('auth can-i impersonate sa/robot --as yan', 'yes');
    expect((await k.run('auth can-i impersonate sa/robot --as yan -n kube-system')).out).toBe('no\n');
  });

  test('auth can-i', async () => {
    const robot = '--as system:serviceaccount:default:robot';
    await k.says(`auth can-i list pods ${robot}`, 'yes');
    await k.says(`auth can-i get pods --subresource=log ${robot}`, 'yes');
    expect((await k.run(`auth can-i list pods -n kube-system ${robot}`)).out).toBe('no\n');
    expect((await k.run(`auth can-i list pods -A ${robot}`)).out).toBe('no\n');
    await k.says("auth can-i '*' '*'", 'yes');
    const list = await k.ok(`auth can-i --list ${robot}`);
    const lines = list.split('\n').map((line) => line.trimEnd().replace(/ {2,}/g, '  '));
    expect(lines).toEqual(
      expect.arrayContaining(['pods  []  []  [get list watch]', 'pods/log  []  []  [get list watch]']),
    );
    // What everybody may is told once.
    expect(lines.filter((line) => line.includes('selfsubjectreviews'))).toEqual([
      'selfsubjectreviews.authentication.k8s.io  []  []  [create]',
    ]);
    expect(lines.filter((line) => line.includes('[/apis/*]'))).toHaveLength(1);
    expect(await k.ok('auth can-i --list')).toMatch(/^\*\.\* +\[\] +\[\] +\[\*\]$/m);
  });

  test('auth whoami', async () => {
    await k.says(
      'auth whoami --as zoe --as-group devs',
      'ATTRIBUTE  VALUE\nUsername  zoe\nGroups  [devs system:authenticated]',
    );
  });

  test('auth reconcile adds, and takes away when told to', async () => {
    await k.ok('auth reconcile -f -', reconciled('get', 'ann'));
    await k.ok('auth reconcile -f -', reconciled('list', 'bob'));
    const rules = () => k.ok("get role kept -o jsonpath='{.rules[*].verbs}'");
    expect(await rules()).toBe('["get"] ["list"]');
    await k.says('auth can-i get pods --as bob', 'yes');
    await k.ok(
      'auth reconcile -f - --remove-extra-permissions --remove-extra-subjects',
      reconciled('list', 'bob'),
    );
    expect(await rules()).toBe('["list"]');
    expect((await k.run('auth can-i list pods --as ann')).out).toBe('no\n');
  });

  test('nobody gives what he does not have', async () => {
    await k.refuses(
      '--as zoe create rolebinding x --clusterrole=cluster-admin --user=zoe',
      `error: failed to create rolebinding: rolebindings.${group} "x" is forbidden: user "zoe" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:["*"], Resources:["*"], Verbs:["*"]}
{NonResourceURLs:["*"], Verbs:["*"]}`,
    );
    await k.refuses(
      '--as zoe create role big --verb=get,delete --resource=nodes',
      `Error from server (Forbidden): roles.${group} "big" is forbidden: user "zoe" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:[""], Resources:["nodes"], Verbs:["get" "delete"]}`,
    );
    await k.ok('--as zoe create rolebinding ann --clusterrole=edit --user=ann');
    await k.says('auth can-i create deployments --as ann', 'yes');
  });

  test('a binding keeps its role', async () => {
    await k.refuses(
      `patch rolebinding robot --type=merge -p '{"roleRef":{"name":"other"}}'`,
      /The RoleBinding "robot" is invalid: roleRef: Invalid value: .*: cannot change roleRef/,
    );
  });

  test('rules are gathered into view, edit and admin, and go with their role', async () => {
    await k.ok('create rolebinding val --clusterrole=view --user=val');
    const may = async (who: string) => (await k.run(`auth can-i list podtemplates --as ${who}`)).out.trim();
    const becomes = async (who: string, wanted: string) => {
      for (let i = 0; i < 50 && (await may(who)) !== wanted; i++);
      expect(await may(who)).toBe(wanted);
    };
    expect(await may('val')).toBe('no');
    await k.ok('apply -f -', templates);
    await becomes('val', 'yes');
    await becomes('zoe', 'yes');
    await k.ok('delete clusterrole templates-view');
    await becomes('val', 'no');
    await becomes('zoe', 'no');
  });

  test('a program that finds the cluster as in a pod lists the pods of its namespace, and of no other', async () => {
    const k8s = await import('@kubernetes/client-node');
    const secrets = path.join(server.dir, 'var/run/secrets/kubernetes.io/serviceaccount');
    fs.mkdirSync(secrets, { recursive: true });
    fs.writeFileSync(path.join(secrets, 'token'), (await k.ok('create token robot')).trim());
    fs.writeFileSync(path.join(secrets, 'namespace'), 'default');
    const ca = await k.ok("get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}'");
    fs.writeFileSync(path.join(secrets, 'ca.crt'), ca);
    const { hostname, port } = new URL(server.url);
    const before = { ...process.env };
    Object.assign(process.env, { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port });
    const config = new k8s.KubeConfig();
    config.loadFromCluster(server.dir);
    for (const name of ['KUBERNETES_SERVICE_HOST', 'KUBERNETES_SERVICE_PORT'])
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    await k.ok('run p --image=i');
    const core = config.makeApiClient(k8s.CoreV1Api);
    const { items } = await core.listNamespacedPod({ namespace: 'default' });
    expect(items.map(({ metadata }) => metadata?.name)).toContain('p');
    const refused = { code: 403 };
    await expect(core.listNamespacedPod({ namespace: 'kube-system' })).rejects.toMatchObject(refused);
    await expect(core.listPodForAllNamespaces()).rejects.toMatchObject(refused);
    await expect(core.deleteNamespacedPod({ namespace: 'default', name: 'p' })).rejects.toMatchObject(
      refused,
    );
    await expect(core.listNamespacedSecret({ namespace: 'default' })).rejects.toMatchObject(refused);
    // A right that is taken away is gone with the next request.
    await k.ok('delete rolebinding robot');
    await expect(core.listNamespacedPod({ namespace: 'default' })).rejects.toMatchObject(refused);
    await k.ok('create rolebinding robot --role=pod-reader --serviceaccount=default:robot');
    await core.listNamespacedPod({ namespace: 'default' });
  });
});
