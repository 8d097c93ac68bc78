import { describe, expect, test } from 'vitest';
import { CommandFailure } from './failure.ts';
import type { Handlers } from './handlers.ts';
import { runProgram } from './program.ts';

/** Handlers that note what they were called with. */
function noted(failure?: Error) {
  const calls: [string, unknown][] = [];
  const handlers = new Proxy({} as Handlers, {
    get: (_, name) => async (flags?: unknown) => {
      calls.push([String(name), flags]);
      if (failure !== undefined) throw failure;
    },
  });
  return { calls, handlers };
}

async function run(line: string, failure?: Error) {
  const { calls, handlers } = noted(failure);
  let out = '';
  let err = '';
  const code = await runProgram(line === '' ? [] : line.split(' '), handlers, {
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { calls, code, out, err };
}

describe('commands', () => {
  const cases: [line: string, handler: string, flags: unknown][] = [
    ['up', 'up', { name: 'jotasu', install: true, images: [] }],
    [
      'up --nodes 2 --name a --data-dir /d --kubeconfig /k --no-install --image x.tar,y.tar --image z.tar --without local-storage',
      'up',
      {
        name: 'a',
        without: ['local-storage'],
        nodes: 2,
        dataDir: '/d',
        kubeconfig: '/k',
        install: false,
        images: ['x.tar', 'y.tar', 'z.tar'],
      },
    ],
    ['down', 'down', { name: 'jotasu' }],
    ['down --name b-1', 'down', { name: 'b-1' }],
    ['status', 'status', { name: 'jotasu', output: 'text' }],
    ['status -o json', 'status', { name: 'jotasu', output: 'json' }],
    ['node list', 'nodeList', { name: 'jotasu', output: 'text' }],
    ['node kill jotasu-node-2', 'nodeKill', { name: 'jotasu', node: 'jotasu-node-2' }],
    ['node stop --name a n', 'nodeStop', { name: 'a', node: 'n' }],
    ['node start n', 'nodeStart', { name: 'jotasu', node: 'n' }],
    ['node remove n', 'nodeRemove', { name: 'jotasu', node: 'n' }],
    ['node add', 'nodeAdd', { name: 'jotasu' }],
    ['node add extra', 'nodeAdd', { name: 'jotasu', node: 'extra' }],
    ['token create', 'tokenCreate', {}],
    [
      'token create --ttl 1h30m --description x --kubeconfig /k --context c',
      'tokenCreate',
      { ttlMs: 5_400_000, description: 'x', kubeconfig: '/k', context: 'c' },
    ],
    ['token create --ttl 0', 'tokenCreate', { ttlMs: 0 }],
    ['token list --kubeconfig /k', 'tokenList', { kubeconfig: '/k' }],
    ['token delete abcdef', 'tokenDelete', { token: 'abcdef' }],
    ['image load a.tar b.tar', 'imageLoad', { name: 'jotasu', files: ['a.tar', 'b.tar'] }],
    [
      'image load a.tar --nodes x,y --as r/i:1',
      'imageLoad',
      { name: 'jotasu', files: ['a.tar'], nodes: ['x', 'y'], as: 'r/i:1' },
    ],
    ['server', 'server', {}],
    [
      'server --data-dir /d --bind-address 127.0.0.1 --https-listen-port 0 --tls-san a,b --tls-san c --without scheduler --node-monitor-grace-period 1m2.5s --node-out-of-service-after 0 --node-eviction-rate 0.1 --unhealthy-zone-threshold 1 --log-level debug',
      'server',
      {
        dataDir: '/d',
        bindAddress: '127.0.0.1',
        httpsListenPort: 0,
        tlsSans: ['a', 'b', 'c'],
        without: ['scheduler'],
        nodeMonitorGracePeriodMs: 62_500,
        nodeOutOfServiceAfterMs: 0,
        nodeEvictionRate: 0.1,
        unhealthyZoneThreshold: 1,
        logLevel: 'debug',
        logRequests: true,
      },
    ],
    [
      'agent --server https://h:1 --node-name n --node-labels a=b,c=d --max-pods 50',
      'agent',
      { server: ['https://h:1'], nodeName: 'n', nodeLabels: ['a=b', 'c=d'], maxPods: 50 },
    ],
    [
      'server --horizontal-pod-autoscaler-sync-period 1s --horizontal-pod-autoscaler-downscale-stabilization 2s --horizontal-pod-autoscaler-tolerance 0.2 --horizontal-pod-autoscaler-cpu-initialization-period 0 --horizontal-pod-autoscaler-initial-readiness-delay 3s',
      'server',
      {
        horizontalPodAutoscaler: {
          syncPeriodMs: 1000,
          downscaleStabilizationMs: 2000,
          tolerance: 0.2,
          cpuInitializationPeriodMs: 0,
          initialReadinessDelayMs: 3000,
        },
      },
    ],
    ['server --token-file /t', 'server', { tokenFile: '/t' }],
    [
      'server --enable-priority-and-fairness=false --max-requests-inflight 7',
      'server',
      { enablePriorityAndFairness: false, maxRequestsInflight: 7 },
    ],
    ['server --enable-priority-and-fairness', 'server', { enablePriorityAndFairness: true }],
    [
      'datastore copy --from lmdb=/d --to etcd=http://h:2379 --etcd-prefix /p',
      'datastoreCopy',
      { from: 'lmdb=/d', to: 'etcd=http://h:2379', etcdPrefix: '/p' },
    ],
    ['server -v 2', 'server', { logLevel: 'info', logRequests: false }],
    ['server --v 3', 'server', { logLevel: 'info', logRequests: true }],
    ['server -v=6', 'server', { logLevel: 'debug', logRequests: true }],
    ['version', 'version', undefined],
  ];
  test.each(cases)('%s', async (line, handler, flags) => {
    const { calls, code, err } = await run(line);
    expect({ calls, code, err }).toEqual({ calls: [[handler, flags]], code: 0, err: '' });
  });
});

describe('mistakes are named, nothing runs, and the exit code is 2', () => {
  const cases: [line: string, message: RegExp][] = [
    ['upp', /^jotasu: error: unknown command 'upp'\n\(Did you mean up\?\)/],
    ['up --node 3', /unknown option '--node'\n\(Did you mean --nodes\?\)/],
    ['up extra', /too many arguments for 'up'/],
    ['up --nodes 0', /'--nodes <count>' argument '0' is invalid. Must be a whole number from 1 to 250\./],
    ['up --nodes two', /Must be a whole number/],
    ['up --without scheduler', /Must be any of local-storage, servicelb, ingress\./],
    ['up --servicelb-pool auto,10.0.0.1', /Must be ranges such as/],
    ['up --servicelb-pool auto --servicelb-pool 10.0.0.1', /Must be auto alone, or ranges\./],
    ['up --name Big', /lower-case letters/],
    ['status -o yaml', /Allowed choices are json/],
    ['node', /list, kill, stop, start, add or remove nodes/],
    ['node kil x', /unknown command 'kil'\n\(Did you mean kill\?\)/],
    ['node kill', /missing required argument 'node'/],
    ['node kill A_b', /lower-case letters/],
    ['image load', /missing required argument 'files'/],
    [
      'server --without storage',
      /Must be any of controllers, scheduler, local-storage, servicelb, ingress\./,
    ],
    ['server --cluster-cidr 10.0.0.1/8', /10\.0\.0\.1\/8 should be 10\.0\.0\.0\/8/],
    ['server --cluster-cidr 10.0.0.0', /Must be a range/],
    ['up --cluster-cidr 10.244.0.0/16,10.245.0.0/16', /Must be a range/],
    ['agent --server https://h --node-ip 10.0.0.1,10.0.0.2', /Must be an address such as 10\.0\.0\.2/],
    ['agent --server https://h --node-ip eth0', /Must be an address such as 10\.0\.0\.2/],
    ['server --node-monitor-grace-period 5', /Must be a duration/],
    ['server --https-listen-port 70000', /from 0 to 65535/],
    ['server --token a --token-file b', /'--token-file <file>' cannot be used with option '--token <token>'/],
    ['datastore copy --from lmdb=/d', /required option '--to <store>' not specified/],
    ['server -v loud', /'-v, --v <level>' argument 'loud' is invalid. Must be a whole number/],
    ['server -v 2 --log-level info', /option '-v, --v <level>' cannot be used with option '--log-level/],
    [
      'agent --server https://h --token T --flannel-backend wireguard',
      /^jotasu: error: option '--flannel-backend <backend>' argument 'wireguard' is invalid\. Allowed choices are host-gw, vxlan\.\n/,
    ],
    ['agent --kubeconfig /k --token T', /^jotasu: agent takes --token or a certificate, not both\n$/],
    ['token create --ttl soon', /^jotasu: error: option '--ttl <time>' argument 'soon' is invalid\. Must be/],
    ['token delete', /^jotasu: error: missing required argument 'token'\n/],
    ['agent', /^jotasu: agent needs --server or --kubeconfig\n$/],
    ['agent --server https://h --kubeconfig f', /not both/],
    ['', /Usage: jotasu/],
  ];
  test.each(cases)('%s', async (line, message) => {
    const { calls, code, err, out } = await run(line);
    expect(err).toMatch(message);
    expect({ calls, code, out }).toEqual({ calls: [], code: 2, out: '' });
  });
});

describe('ends', () => {
  test('a failure that was foreseen is one line', async () => {
    const { code, err } = await run('down', new CommandFailure('there is no cluster'));
    expect({ code, err }).toEqual({ code: 1, err: 'jotasu: there is no cluster\n' });
  });

  test('one that was not shows where it happened, and its cause', async () => {
    const { code, err } = await run('down', new Error('odd', { cause: new Error('deep') }));
    expect(code).toBe(1);
    expect(err).toMatch(/^jotasu: Error: odd\n\s+at [\s\S]*caused by: Error: deep\n\s+at /);
  });

  test('help goes to standard output and is no failure', async () => {
    for (const line of ['--help', 'up --help', 'node --help', 'node kill -h', 'server -h']) {
      const { code, out, err } = await run(line);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toMatch(/^Usage: jotasu/);
    }
  });
});
