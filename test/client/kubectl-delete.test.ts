// The end of objects, and waiting for it: delete with every policy, wait, get -w.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const program = findKubectl();
let server: ProgramServer;
let k: Kubectl;

describe.skipIf(program === undefined)('kubectl', () => {
  beforeAll(async () => {
    server = await startProgram();
    k = new Kubectl(server);
  });
  afterAll(async () => {
    k?.stop();
    await server?.stop();
  });

  const finalizers = (of: string) => k.ok(`get ${of} -o jsonpath='{.metadata.finalizers}'`);

  test.each([
    ['background', undefined],
    ['foreground', '["foregroundDeletion"]'],
    ['orphan', '["orphan"]'],
  ])('delete --cascade=%s', async (cascade, held) => {
    const name = `gone-${cascade}`;
    await k.ok(`create deployment ${name} --image=i`);
    await k.says(
      `delete deploy ${name} --cascade=${cascade} --wait=false`,
      `deployment.apps "${name}" deleted`,
    );
    if (held !== undefined) {
      expect(await finalizers(`deploy ${name}`)).toBe(held);
      // Who takes the last one away learns what he changed.
      await k.says(
        `patch deploy ${name} --type=json -p '[{"op":"remove","path":"/metadata/finalizers"}]'`,
        `deployment.apps/${name} patched`,
      );
    }
    await k.refuses(
      `get deploy ${name}`,
      `Error from server (NotFound): deployments.apps "${name}" not found`,
    );
  });

  test('delete waits for finalizers', async () => {
    await k.ok(
      'create -f -',
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"held","finalizers":["example.com/f"]}}',
    );
    await k.refuses(
      'delete cm held --timeout=500ms',
      'error: timed out waiting for the condition on configmaps/held',
    );
    const deleting = k.follow('delete cm held');
    await deleting.until('configmap "held" deleted');
    await k.says(
      `patch cm held --type=merge -p '{"metadata":{"finalizers":null}}'`,
      'configmap/held patched',
    );
    expect(await deleting.ended).toBe(0);
  });

  test('delete of pods: with grace, now, by force', async () => {
    const pod = (name: string, nodeName = 'n1') =>
      k.ok(
        'create -f -',
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name },
          spec: { nodeName, containers: [{ name: 'c', image: 'i' }] },
        }),
      );
    await pod('free', '');
    await k.says('delete pod free', 'pod "free" deleted');
    await pod('bound');
    await k.says('delete pod bound --wait=false', 'pod "bound" deleted');
    await k.says('get pod bound --no-headers', /^bound {2}0\/1 {2}Terminating {2}0 {2}\d+s$/);
    expect(await k.ok("get pod bound -o jsonpath='{.metadata.deletionGracePeriodSeconds}'")).toBe('30');
    await k.says('delete pod bound --now --wait=false', 'pod "bound" deleted');
    expect(await k.ok("get pod bound -o jsonpath='{.metadata.deletionGracePeriodSeconds}'")).toBe('1');
    expect(await k.run('delete pod bound --force')).toEqual({
      code: 0,
      out: 'pod "bound" force deleted\n',
      err: 'Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.\n',
    });
    await k.refuses('get pod bound', /not found$/);
  });

  test('delete by selector, of all, of several kinds, as a trial', async () => {
    for (const name of ['l1', 'l2', 'l3']) await k.ok(`create cm ${name}`);
    await k.ok('label cm l1 l2 pick=me');
    await k.says(
      'delete cm -l pick=me --dry-run=server',
      'configmap "l1" deleted (server dry run)\nconfigmap "l2" deleted (server dry run)',
    );
    await k.says('delete cm -l pick=me', 'configmap "l1" deleted\nconfigmap "l2" deleted');
    await k.says('delete cm -l pick=me', 'No resources found');
    await k.ok('create secret generic s');
    await k.says('delete cm,secret --all', 'configmap "l3" deleted\nsecret "s" deleted');
    await k.says('delete cm none --ignore-not-found', '');
    await k.refuses(
      'delete cm none also-none',
      'Error from server (NotFound): configmaps "none" not found\nError from server (NotFound): configmaps "also-none" not found',
    );
    await k.ok('create cm field');
    await k.says('delete cm --field-selector metadata.name=field -o name', 'configmap/field');
  });

  test('a namespace goes when its finalizer does, and takes nothing new', async () => {
    await k.ok('create ns ending');
    await k.says('delete ns ending --wait=false', 'namespace "ending" deleted');
    await k.says('get ns ending --no-headers', /^ending {2}Terminating {2}\d+s$/);
    await k.refuses(
      'create cm late -n ending',
      'error: failed to create configmap: configmaps "late" is forbidden: unable to create new content in namespace ending because it is being terminated',
    );
    const { metadata } = await k.json('get ns ending');
    await k.ok(
      'replace --raw /api/v1/namespaces/ending/finalize -f -',
      JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata, spec: {} }),
    );
    await k.refuses('get ns ending', 'Error from server (NotFound): namespaces "ending" not found');
    for (const name of ['default', 'kube-system'])
      await k.refuses(
        `delete ns ${name}`,
        `Error from server (Forbidden): namespaces "${name}" is forbidden: this namespace may not be deleted`,
      );
  });

  test('wait for a condition, a field, a creation, an end', async () => {
    await k.ok('create deployment waits --image=i');
    const available = k.run('wait deploy/waits --for=condition=Available --timeout=90s');
    const field = k.run("wait deploy/waits --for=jsonpath='{.status.readyReplicas}'=1 --timeout=90s");
    const created = k.run('wait cm/to-come --for=create --timeout=90s');
    const status = {
      replicas: 1,
      readyReplicas: 1,
      conditions: [{ type: 'Available', status: 'True', reason: 'x', message: 'y' }],
    };
    await k.ok(`patch deploy waits --subresource=status --type=merge -p '${JSON.stringify({ status })}'`);
    await k.ok('create cm to-come');
    const met = { code: 0, out: 'deployment.apps/waits condition met\n', err: '' };
    expect(await Promise.all([available, field, created])).toEqual([
      met,
      met,
      { ...met, out: 'configmap/to-come condition met\n' },
    ]);
    const deleted = k.run('wait cm/to-come --for=delete --timeout=90s');
    await k.ok('delete cm to-come');
    expect((await deleted).code).toBe(0);
    await k.refuses(
      'wait deploy/waits --for=condition=Nope --timeout=300ms',
      'error: timed out waiting for the condition on deployments/waits',
    );
    await k.refuses(
      'wait cm/none --for=condition=Ready --timeout=1s',
      'Error from server (NotFound): configmaps "none" not found',
    );
  });

  test('get -w, and with the type of each event', async () => {
    const plain = k.follow('get cm -w --no-headers -l w=1');
    const typed = k.follow('get cm -w --output-watch-events --no-headers -l w=1');
    await k.ok('create cm w1 --from-literal=a=b');
    await k.ok('label cm w1 w=1');
    await Promise.all([plain.until('w1'), typed.until('ADDED')]);
    await k.ok('annotate cm w1 x=y');
    await typed.until('MODIFIED');
    // It leaves the selection, and that is its end here.
    await k.ok('label cm w1 w-');
    await typed.until('DELETED');
    await plain.until('\n');
    expect(typed.stop().map((line) => line.replace(/\d+s$/, 'T'))).toEqual([
      'ADDED  w1  1  T',
      'MODIFIED  w1  1  T',
      'DELETED  w1  1  T',
    ]);
    expect(plain.stop()[0]).toMatch(/^w1 {2}1 {2}\d+s$/);
  });

  test('get --watch-only tells nothing of what was there before', async () => {
    await k.ok('create cm w2');
    await k.ok('label cm w2 w=2');
    const only = k.follow(
      'get cm --watch-only -l w=2 --no-headers -o custom-columns=X:.metadata.annotations.x',
    );
    // Nothing shows that it follows until it hears something.
    let x = 0;
    await expect
      .poll(async () => {
        await k.ok(`annotate cm w2 --overwrite x=${++x}`);
        return only.text;
      })
      .toContain('\n');
    expect(only.stop()[0]).toMatch(/^\d+$/);
  });
});
