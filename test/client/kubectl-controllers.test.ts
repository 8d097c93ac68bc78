// kubectl against a server with its controllers, but no node: what they do to objects as far as that goes without one.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const program = findKubectl();
let server: ProgramServer;
let k: Kubectl;

describe.skipIf(program === undefined)('kubectl', () => {
  beforeAll(async () => {
    server = await startProgram({ controllers: true });
    k = new Kubectl(server);
    await k.ok('create deployment web --image=one --replicas=2');
    await k.ok("wait deploy/web --for=jsonpath='{.status.replicas}'=2 --timeout=90s");
  });
  afterAll(async () => {
    k?.stop();
    await server?.stop();
  });

  const revision = (wanted: number) => {
    const annotation = '{.metadata.annotations.deployment\\.kubernetes\\.io/revision}';
    return k.ok(`wait deploy/web --for=jsonpath='${annotation}'=${wanted} --timeout=90s`);
  };
  const replicaSets = async () =>
    (await k.ok('get rs -l app=web -o name')).trim().split('\n').filter(Boolean);

  test('rollout history, undo, status', async () => {
    await k.says('rollout history deploy web', 'deployment.apps/web\nREVISION  CHANGE-CAUSE\n1  <none>');
    await k.ok('set image deploy/web one=two');
    await revision(2);
    await k.says(
      'rollout history deploy web',
      'deployment.apps/web\nREVISION  CHANGE-CAUSE\n1  <none>\n2  <none>',
    );
    await k.says('rollout history deploy web --revision=1', /Image:\sone/);
    const status = k.follow('rollout status deploy web');
    await status.until(
      'Waiting for deployment "web" rollout to finish: 1 out of 2 new replicas have been updated...\n',
    );
    status.stop();
    await k.refuses('rollout status deploy web --timeout=1s', 'error: timed out waiting for the condition');
    await k.says('rollout undo deploy web --to-revision=1', 'deployment.apps/web rolled back');
    await revision(3);
    await k.says(
      'rollout history deploy web',
      'deployment.apps/web\nREVISION  CHANGE-CAUSE\n2  <none>\n3  <none>',
    );
    await k.refuses(
      'rollout undo deploy web --to-revision=9',
      'error: unable to find specified revision 9 in history',
    );
  });

  test('describe shows conditions, replica sets and events', async () => {
    const shown = async () => (await k.ok('describe deploy web')).replace(/ +/g, ' ');
    for (const text of [
      'Progressing True',
      'Available False MinimumReplicasUnavailable',
      'NewReplicaSet: web-',
      'Normal ScalingReplicaSet',
    ])
      await expect.poll(shown).toContain(text);
    await k.comesToSay('events --for deployment/web', /Scaled up replica set web-\w+ from 0 to 2/);
    await k.comesToSay('describe pods -l app=web', /FailedScheduling.*no nodes available to schedule pods/);
  });

  test('delete leaves, takes along, or waits for what it owns', async () => {
    await k.says('delete deploy web --cascade=orphan', 'deployment.apps "web" deleted');
    const [left, ...more] = await replicaSets();
    expect(left).toMatch(/^replicaset\.apps\/web-/);
    await k.says(`delete ${[left, ...more].join(' ')} --cascade=foreground`, /deleted$/);
    await k.says('get pods -l app=web -o name', '');
    await k.ok('create deployment web --image=one');
    await k.ok("wait deploy/web --for=jsonpath='{.status.replicas}'=1 --timeout=90s");
    await k.says('delete deploy web', 'deployment.apps "web" deleted');
    await k.ok('wait pods -l app=web --for=delete --timeout=90s');
    await k.ok('wait rs -l app=web --for=delete --timeout=90s');
    expect(await replicaSets()).toEqual([]);
  });

  test('a namespace goes with all that is in it', async () => {
    await k.ok('create ns full');
    await k.ok('wait -n full cm/kube-root-ca.crt --for=create --timeout=90s');
    await k.ok('wait -n full sa/default --for=create --timeout=90s');
    await k.ok('create deployment web --image=i -n full');
    await k.ok('create cm a -n full');
    await k.says('delete ns full --timeout=90s', 'namespace "full" deleted');
    await k.says('get all,cm,sa -n full', '');
  });
});
