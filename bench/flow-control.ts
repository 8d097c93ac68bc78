// What priority and fairness costs a request: to find its schema, and to take and give back its seats, with the schemas of every cluster.
// `node --expose-gc --import tsx bench/flow-control.ts`
import { FlowControl, Visit } from '../src/apiserver/index.ts';
import { MetricRegistry, systemClock } from '../src/base/index.ts';
import { ApiFixture } from '../src/testkit/index.ts';

const fixture = await ApiFixture.create();
const flowControl = new FlowControl({
  store: fixture.store,
  clock: systemClock,
  metrics: new MetricRegistry(),
  seats: 600,
});

const authenticated = 'system:authenticated';
const asks = (name: string, groups: readonly string[], what: object) => ({
  user: { name, uid: '', groups: [...groups, authenticated] },
  verb: 'get',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'default',
  name: 'x',
  path: '/api/v1/namespaces/default/pods/x',
  ...what,
});
const accounts = ['system:serviceaccounts', 'system:serviceaccounts:default'];
const lease = {
  verb: 'update',
  group: 'coordination.k8s.io',
  resource: 'leases',
  namespace: 'kube-node-lease',
};
const cases = {
  administrator: asks('root', ['system:masters'], {}),
  "node's lease": asks('system:node:a', ['system:nodes'], lease),
  'service account': asks('system:serviceaccount:default:robot', accounts, {}),
  'somebody else': asks('jane', [], {}),
};

const count = 1_000_000;
function measure(title: string, run: (i: number) => void): void {
  for (let i = 0; i < 50_000; i++) run(i);
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed;
  const begin = performance.now();
  for (let i = 0; i < count; i++) run(i);
  const ns = ((performance.now() - begin) * 1e6) / count;
  const bytes = Math.max(0, process.memoryUsage().heapUsed - heap) / count;
  console.log(
    `${title.padEnd(46)} ${ns.toFixed(0).padStart(6)} ns  ${bytes.toFixed(1).padStart(6)} bytes left`,
  );
}

const visit = new Visit();
for (const [title, asked] of Object.entries(cases)) {
  const { name, level } = flowControl.classify(asked);
  measure(`${title}: classify (${name} → ${level.name})`, () => flowControl.classify(asked));
  measure(`${title}: classify, enter, leave`, () => {
    flowControl.enter(visit, flowControl.classify(asked));
    flowControl.leave(visit, 'regular');
  });
}
const { user, ...rest } = cases['somebody else'];
const strangers = Array.from({ length: 200_000 }, (_, i) => ({
  ...rest,
  user: { ...user, name: `user-${i}` },
}));
measure('a user seen for the first time: classify', (i) =>
  flowControl.classify(strangers[i % strangers.length] ?? cases.administrator),
);
await fixture.close();
