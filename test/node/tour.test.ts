// The tour of the README as a user makes it: the built program, the real kubectl, real containers on two nodes of this machine.
// Each step asserts what is seen, in the order of the tour; a step counts on those before it.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containerdsOf, kill, killAll, processesOf, programsOf } from './cluster-processes.ts';
import { busyboxImage, mustRun, root, run, staysPut, TourCluster, whyNot } from './tour-machine.ts';
import { countByNode, isReady, lives, type Pod, podsOf } from './tour-pods.ts';

const why = whyNot();
const cluster = new TourCluster('jt-tour');
const [node1, node2] = ['jt-tour-node-1', 'jt-tour-node-2'] as const;
const slow = { interval: 200 };
let links: string[] = [];

const pods = (selector: string) => podsOf(cluster, selector);
const all = async () => [...(await pods('app=web')), ...(await pods('app=greeter'))];
const exec = (pod: string, ...command: string[]) => cluster.kubectl('exec', pod, '--', ...command);
/** Every pod of greeter does what it is told to: a node may be ready a moment before its containers are at hand again. */
const answers = async () => {
  for (const { metadata } of await pods('app=greeter'))
    await expect.poll(() => exec(metadata.name, 'echo', 'aye'), slow).toBe('aye\n');
};

beforeAll(async () => {
  if (why === undefined) await cluster.down();
});
afterAll(async () => {
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

describe.skipIf(why !== undefined)('the tour', () => {
  test('up: two nodes, and what to type next', async () => {
    const out = await cluster.up('--nodes', '2');
    expect(out).toContain('Starting cluster jt-tour with 2 nodes.\n');
    expect(out).toMatch(
      /\nCluster jt-tour is ready after \d+\.\d s: https:\/\/127\.0\.0\.1:\d+, kubectl context/,
    );
    expect(out).toContain(`kubectl --kubeconfig ${cluster.kubeconfig} get nodes -o wide`);
    const nodes = (await cluster.kubectl('get', 'nodes', '--no-headers')).trim().split('\n');
    expect(nodes.map((line) => line.split(/\s+/).slice(0, 2))).toEqual([
      [node1, 'Ready'],
      [node2, 'Ready'],
    ]);
    links = (await cluster.status()).nodes.flatMap(({ link }) => [link, link.replace(/n\d+$/, '')]);
    expect(cluster.traces(links)).not.toEqual([]);
  });

  test('image load', async () => {
    const archive = await cluster.busyboxArchive();
    expect(await cluster.jotasu('image', 'load', archive)).toMatch(
      /^Loaded docker\.io\/library\/busybox:1\.35, docker\.io\/library\/busybox:1\.36 into jt-tour-node-1, jt-tour-node-2 \(\d+\.\d s\)\.\n$/,
    );
  });

  test('create deployment: pods on both nodes, each with an address', async () => {
    const command = ['--', 'sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait'];
    await cluster.kubectl(
      'create',
      'deployment',
      'web',
      `--image=${busyboxImage}`,
      '--replicas=4',
      ...command,
    );
    expect(await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s')).toContain(
      'successfully rolled out',
    );
    const list = await pods('app=web');
    expect(list.map((pod) => pod.status.phase)).toEqual(['Running', 'Running', 'Running', 'Running']);
    expect(countByNode(list)).toEqual({ [node1]: 2, [node2]: 2 });
    expect(new Set(list.map((pod) => pod.status.podIP)).size).toBe(4);
    const wide = (await cluster.kubectl('get', 'pods', '-o', 'wide')).split('\n');
    expect(wide[0]).toMatch(
      /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES$/,
    );
    expect(wide[1]).toMatch(
      /^web-\w+-\w+ +1\/1 +Running +0 +\d+s +10\.\d+\.\d+\.\d+ +jt-tour-node-\d +<none> +<none>$/,
    );
  });

  test('scale, set image, rollout status', async () => {
    await cluster.kubectl('scale', 'deployment', 'web', '--replicas=10');
    await cluster.kubectl('set', 'image', 'deployment/web', 'busybox=docker.io/library/busybox:1.35');
    const said = await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    expect(said).toContain('deployment "web" successfully rolled out\n');
    const list = await pods('app=web');
    expect(list.filter(isReady)).toHaveLength(10);
    expect(new Set(list.map((pod) => pod.spec.containers[0]!.image))).toEqual(
      new Set(['docker.io/library/busybox:1.35']),
    );
    expect(await cluster.kubectl('get', 'deployment', 'web', '--no-headers')).toMatch(
      /^web +10\/10 +10 +10 /,
    );
    expect(await cluster.kubectl('rollout', 'history', 'deployment/web')).toMatch(/\n2 +<none>\n/);
  });

  test('delete pod: replaced at once, as get -w shows', async () => {
    const name = (await pods('app=web'))[0]!.metadata.name;
    let deleting: Promise<string> | undefined;
    const watched = await run(cluster.kubectlArgv('get', 'pods', '-w', '-l', 'app=web', '--no-headers'), {
      timeoutMs: 100_000,
      onOutput(text, kill) {
        if (text.trim().split('\n').length < 10) return;
        deleting ??= cluster.kubectl('delete', 'pod', name);
        // The eleventh name, running: the one that replaces it.
        const running = text.split('\n').filter((line) => / Running /.test(line));
        if (new Set(running.map((line) => line.split(' ')[0])).size === 11 && / Terminating /.test(text))
          kill('SIGTERM');
      },
    });
    expect(await deleting).toContain(`pod "${name}" deleted`);
    expect(watched.out).toMatch(new RegExp(`^${name} .* Terminating `, 'm'));
    expect(watched.out).toMatch(/ (Pending|ContainerCreating) /);
    await expect.poll(async () => (await pods('app=web')).filter(isReady).length, slow).toBe(10);
    expect((await pods('app=web')).map((pod) => pod.metadata.name)).not.toContain(name);
  });

  test('apply: ConfigMap and Secret in the environment and in files; an update reaches the files', async () => {
    const example = join(root, 'examples/web.yaml');
    expect(await cluster.kubectl('apply', '-f', example)).toBe(
      'configmap/greeting created\nsecret/harbour created\ndeployment.apps/greeter created\nservice/greeter created\n',
    );
    // stringData is never stored, so kubectl sends it each time.
    expect(await cluster.kubectl('apply', '-f', example)).toBe(
      'configmap/greeting unchanged\nsecret/harbour configured\ndeployment.apps/greeter unchanged\nservice/greeter unchanged\n',
    );
    await cluster.kubectl('rollout', 'status', 'deployment/greeter', '--timeout=90s');
    const list = await pods('app=greeter');
    expect(countByNode(list)).toEqual({ [node1]: 1, [node2]: 1 });
    for (const { metadata, spec } of list) {
      await expect
        .poll(() => cluster.kubectl('logs', metadata.name), slow)
        .toBe(`hello, my node is ${spec.nodeName}\nsteady as she goes\n`);
      expect(await exec(metadata.name, 'sh', '-c', 'echo "$PASSWORD"; cat /etc/harbour/password')).toBe(
        's3cret\ns3cret',
      );
    }
    const changed = readFileSync(example, 'utf8').replace('steady as she goes', 'land ahoy');
    expect(await mustRun(cluster.kubectlArgv('apply', '-f', '-'), { input: changed })).toContain(
      'configmap/greeting configured\n',
    );
    for (const { metadata } of list)
      await expect
        .poll(() => exec(metadata.name, 'cat', '/etc/greeting/motto.txt'), { ...slow, timeout: 100_000 })
        .toBe('land ahoy\n');
  });

  test('logs -f until the container ends', async () => {
    // It goes on when it is told to, which is when its first word has been heard.
    const script = 'echo tick 1; until [ -e /go ]; do sleep 0.1; done; echo tick 2; echo tick 3';
    const image = `--image=${busyboxImage}`;
    await cluster.kubectl('run', 'ticker', image, '--restart=Never', '--', 'sh', '-c', script);
    await cluster.kubectl('wait', '--for=jsonpath={.status.phase}=Running', 'pod/ticker', '--timeout=90s');
    let told: Promise<string> | undefined;
    const followed = await run(cluster.kubectlArgv('logs', '-f', 'ticker'), {
      onOutput(text) {
        if (text.includes('tick 1\n')) told ??= exec('ticker', 'touch', '/go');
      },
    });
    await told;
    expect(followed).toEqual({ code: 0, out: 'tick 1\ntick 2\ntick 3\n', err: '' });
    await cluster.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/ticker', '--timeout=90s');
    expect(await cluster.kubectl('logs', 'ticker', '--tail=1', '--timestamps')).toMatch(
      /^\d{4}-\S+Z tick 3\n$/,
    );
    await cluster.kubectl('delete', 'pod', 'ticker');
  });

  test('exec: exit code, standard input, standard error', async () => {
    const target = 'deployment/greeter';
    expect((await run(cluster.kubectlArgv('exec', target, '--', 'sh', '-c', 'exit 3'))).code).toBe(3);
    const text = 'aye, captain\n'.repeat(10_000);
    const through = cluster.kubectlArgv('exec', '-i', target, '--', 'cat');
    expect(await mustRun(through, { input: text })).toBe(text);
    const both = await run(cluster.kubectlArgv('exec', target, '--', 'sh', '-c', 'echo out; echo err >&2'));
    expect(both).toEqual({ code: 0, out: 'out\n', err: 'err\n' });
    const missing = await run(cluster.kubectlArgv('exec', target, '--', 'nosuchprogram'));
    expect(missing.code).not.toBe(0);
    expect(missing.err).toMatch(/nosuchprogram/);
  });

  test('describe and events', async () => {
    const [pod] = await pods('app=greeter');
    const described = await cluster.kubectl('describe', 'pod', pod!.metadata.name);
    expect(described).toMatch(/^Node: +jt-tour-node-\d\/10\.\d+\.\d+\.\d+$/m);
    expect(described).toMatch(/^Controlled By: +ReplicaSet\/greeter-/m);
    expect(described).toMatch(/\/etc\/harbour from harbour \(ro\)/);
    for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started'])
      expect(described).toMatch(new RegExp(`^ +Normal +${reason} `, 'm'));
    expect(await cluster.kubectl('describe', 'deployment', 'greeter')).toMatch(
      /2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable/,
    );
    expect(await cluster.kubectl('describe', 'node', node1)).toMatch(
      /^Non-terminated Pods: +\(\d+ in total\)/m,
    );
    const events = await cluster.kubectl('get', 'events');
    for (const reason of ['Scheduled', 'SuccessfulCreate', 'ScalingReplicaSet', 'Killing'])
      expect(events).toMatch(new RegExp(`Normal +${reason} `));
  });

  test('pods on different nodes reach each other, and this machine reaches them', async () => {
    const list = await pods('app=web');
    const one = list.find((pod) => pod.spec.nodeName === node1)!;
    const two = list.find((pod) => pod.spec.nodeName === node2)!;
    for (const { metadata } of [one, two]) {
      await exec(
        metadata.name,
        'sh',
        '-c',
        'mkdir -p /www && hostname >/www/index.html && httpd -p 8080 -h /www',
      );
    }
    // Not wget: a static glibc's look-up of names can crash.
    const fetchFrom = (from: Pod, to: Pod) =>
      exec(
        from.metadata.name,
        'sh',
        '-c',
        `echo 'GET /index.html HTTP/1.0\r\n\r' | nc -w 30 ${to.status.podIP} 8080`,
      );
    expect(await fetchFrom(one, two)).toContain(`\n${two.metadata.name}\n`);
    expect(await fetchFrom(two, one)).toContain(`\n${one.metadata.name}\n`);
    const answer = await fetch(`http://${two.status.podIP}:8080/index.html`, {
      signal: AbortSignal.timeout(30_000),
    });
    expect(await answer.text()).toBe(`${two.metadata.name}\n`);
  });

  test('an image that does not exist is told in status and events', async () => {
    await cluster.kubectl('run', 'lost', '--image=localhost:1/nosuch:1');
    await expect
      .poll(async () => (await cluster.kubectl('get', 'pod', 'lost', '--no-headers')).split(/\s+/)[2], slow)
      .toMatch(/^(ErrImagePull|ImagePullBackOff)$/);
    await expect
      .poll(() => cluster.kubectl('describe', 'pod', 'lost'), slow)
      .toMatch(/Warning +Failed .*Failed to pull image "localhost:1\/nosuch:1"/);
    await cluster.kubectl('delete', 'pod', 'lost');
  });

  test.each([
    ['no YAML', 'a: [', /error parsing STDIN|error converting YAML to JSON/],
    [
      'an unknown field',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatas: {}\n',
      /strict decoding error: unknown field "datas"/,
    ],
    [
      'a wrong value',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: Upper}\nspec: {containers: [{name: a, image: b}]}\n',
      /The Pod "Upper" is invalid: metadata\.name: Invalid value: "Upper": a lowercase RFC 1123 subdomain/,
    ],
  ])('apply refuses %s', async (_, input, message) => {
    const { code, err } = await run(cluster.kubectlArgv('apply', '-f', '-'), { input });
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });

  test('node kill: its pods run on the other node; node start: it is Ready and takes pods', async () => {
    expect(await cluster.jotasu('node', 'kill', node2)).toMatch(
      /^Node jt-tour-node-2 is off: \d+ processes ended/,
    );
    const running = async () => (await all()).filter(isReady);
    await expect.poll(async () => countByNode(await running()), slow).toEqual({ [node1]: 12 });
    await expect
      .poll(async () => (await cluster.status()).nodes.map(({ state }) => state), slow)
      .toEqual(['Ready', 'Off']);
    expect(await cluster.jotasu('node', 'kill', node2)).toBe(`Node ${node2} was off already.\n`);

    expect(await cluster.jotasu('node', 'start', node2)).toContain(`Node ${node2} is running again.\n`);
    await cluster.kubectl('wait', '--for=condition=Ready', `node/${node2}`, '--timeout=90s');
    await cluster.kubectl('scale', 'deployment', 'web', '--replicas=14');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    expect(countByNode(await pods('app=web'))[node2]).toBeGreaterThanOrEqual(3);
    await expect.poll(running, slow).toHaveLength(16);
    // What ran there before it was killed does not run there again. A pod deleted earlier may still have its grace of 30 s.
    const containers = async () =>
      (await cluster.status()).nodes.reduce((sum, node) => sum + node.containers!, 0);
    await expect.poll(containers, { interval: 500 }).toBe(16);
  });

  test('a server and agents that crash come back by themselves; pods do not notice', async () => {
    const patch = JSON.stringify({ spec: { template: { spec: { tolerations: JSON.parse(staysPut) } } } });
    for (const name of ['web', 'greeter']) await cluster.kubectl('patch', 'deployment', name, '-p', patch);
    for (const name of ['web', 'greeter'])
      await cluster.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=90s');
    const before = lives(await all());
    const { server, nodes } = await cluster.status();
    const crashed = [server.pid!, ...nodes.map(({ pid }) => pid!)];
    kill([...crashed, ...containerdsOf(cluster.name)]);
    const isBack = async () => {
      const now = await cluster.status();
      const pids = [now.server.pid, ...now.nodes.map(({ pid }) => pid)];
      const states = [now.server.state, ...now.nodes.map(({ state }) => state)];
      return (
        states.every((state) => state === 'Ready') &&
        pids.every((pid) => pid !== null && !crashed.includes(pid))
      );
    };
    await expect.poll(isBack, slow).toBe(true);
    await answers();
    await expect.poll(async () => lives(await all()), slow).toEqual(before);
  });

  test('after kill -9 of everything but the containers, up goes on with all data and the same containers', async () => {
    const before = lives(await all());
    await killAll(() => [...programsOf(cluster.name), ...containerdsOf(cluster.name)]);
    await expect.poll(async () => (await cluster.status()).server.state, slow).toBe('Off');
    const out = await cluster.up();
    expect(out).toContain('Cluster jt-tour is there; starting what does not run.\n');
    expect(out).toContain('Cluster jt-tour is ready after ');
    await answers();
    await expect.poll(async () => lives(await all()), slow).toEqual(before);
    expect(await cluster.kubectl('get', 'configmap', 'greeting', '-o', 'jsonpath={.data.GREETING}')).toBe(
      'hello',
    );
  });

  test('after kill -9 of everything, up goes on with all data', async () => {
    const names = (list: Pod[]) => list.map((pod) => pod.metadata.name).sort();
    const before = names(await pods('app=web'));
    await killAll(() => processesOf(cluster.name));
    await cluster.up();
    await expect.poll(async () => (await pods('app=web')).filter(isReady).length, slow).toBe(14);
    expect(names(await pods('app=web'))).toEqual(before);
    await answers();
    expect(await cluster.up()).toContain('Cluster jt-tour is running; checking its parts.\n');
  });

  test('status', async () => {
    await expect
      .poll(async () => (await cluster.status()).nodes.map(({ state }) => state), slow)
      .toEqual(['Ready', 'Ready']);
    const out = await cluster.jotasu('status');
    expect(out).toMatch(/^cluster +jt-tour\nserver +Ready, pid \d+, v1\.\d+\.\d+/);
    expect(out).toMatch(/^jt-tour-node-1 +Ready +10\.\d+\.\d+\.2 +jts\d+n1 +Running +\d+ +\d+ +\d+ +v1\./m);
    expect(out).toMatch(/^jt-tour-node-2 +Ready /m);
  });

  test('down: nothing is left', async () => {
    writeFileSync(join(cluster.directory, 'other'), 'not ours');
    expect(await cluster.jotasu('down')).toMatch(
      /^Cluster jt-tour is gone: its server, 2 nodes, network, kubectl context/,
    );
    expect(cluster.traces(links)).toEqual([]);
    expect((await cluster.refused('status')).err).toContain('there is no cluster jt-tour on this machine');
  });
});
