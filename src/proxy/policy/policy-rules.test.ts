import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NetworkPolicy } from '../../api/index.ts';
import { keyOf, type Labels } from '../../machinery/index.ts';
import {
  arbitraryPolicy,
  arbitraryPolicyNamespaces,
  arbitraryPolicyPod,
  arbitraryPolicyWorld,
  attemptsOf,
  buildPolicy,
  buildPolicyPod,
  type ConnectionAttempt,
  type PolicyPodParts,
  type PolicyWorld,
  policyNodeAddresses,
  referenceAllows,
} from '../../testkit/index.ts';
import { NftModel } from '../nft-model.ts';
import { policyTable } from './frame.ts';
import { podFacts } from './pod-facts.ts';
import { PolicyRules } from './policy-rules.ts';

/** One node: its rules, and a kernel that has them. */
class NodeFixture {
  readonly kernel = new NftModel();
  readonly rules: PolicyRules;
  readonly #node: string;
  readonly #dns: readonly string[];

  constructor(node = 'n1', dnsAddresses: readonly string[] = []) {
    this.#node = node;
    this.#dns = dnsAddresses;
    this.rules = new PolicyRules({ families: ['ip', 'ip6'], dnsAddresses });
    this.kernel.apply(this.rules.takeReplacement());
  }

  putPod(parts: PolicyPodParts): void {
    this.rules.setPod(`${parts.namespace}/${parts.name}`, podFacts(buildPolicyPod(parts), this.#node));
  }

  putPolicy(policy: NetworkPolicy): void {
    this.rules.setPolicy(keyOf(policy), policy);
  }

  put({ namespaces, pods, policies }: PolicyWorld): this {
    for (const [name, labels] of Object.entries(namespaces)) this.rules.setNamespace(name, labels);
    for (const pod of pods) this.putPod(pod);
    for (const policy of policies) this.putPolicy(policy);
    this.commit();
    return this;
  }

  /** Brings the changes to the kernel and returns them. */
  commit(): string {
    const text = this.rules.takeChanges();
    this.kernel.apply(text);
    return text;
  }

  lets(packet: ConnectionAttempt & { readonly reply?: boolean }): boolean {
    const own = policyNodeAddresses[this.#node]!;
    const options = { nodeIps: [own, ...this.#dns], table: policyTable };
    return this.kernel.trace({ ...packet, own: packet.source === own }, options).verdict === 'accept';
  }
}

const web: PolicyPodParts = {
  name: 'web',
  namespace: 'ns',
  labels: { app: 'web' },
  ips: ['10.244.1.2', 'fd01::1:2'],
  ports: [{ name: 'http', port: 8080 }],
};
const client: PolicyPodParts = {
  name: 'client',
  namespace: 'other',
  labels: { app: 'client' },
  ips: ['10.244.2.3', 'fd01::2:3'],
  node: 'n2',
};
const world = (...policies: NetworkPolicy[]): PolicyWorld => ({
  namespaces: { ns: {}, other: { team: 'a' } },
  pods: [web, client],
  policies,
});
const attempt: ConnectionAttempt = {
  source: '10.244.2.3',
  destination: '10.244.1.2',
  protocol: 'tcp',
  port: 8080,
};
const back = { ...attempt, source: attempt.destination, destination: attempt.source };

describe('the text', () => {
  test('of a table in which nobody is isolated', () => {
    const rules = new PolicyRules({ families: ['ip'], dnsAddresses: ['10.96.0.10'] });
    expect(rules.takeReplacement()).toMatchSnapshot();
  });

  test('of a policy with everything, and of a pod that comes and goes', () => {
    const fixture = new NodeFixture();
    fixture.put(world());
    fixture.putPolicy(
      buildPolicy('all', {
        podSelector: { matchLabels: { app: 'web' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          {
            from: [
              { namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: {} },
              { podSelector: { matchLabels: { app: 'client' } } },
              { ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.128/25'] } },
              { ipBlock: { cidr: 'fd00:9::/32' } },
            ],
            ports: [{ port: 'http' }, { port: 8000, endPort: 8010, protocol: 'UDP' }],
          },
        ],
        egress: [{ ports: [{ protocol: 'SCTP' }, { port: 'dns', protocol: 'UDP' }] }],
      }),
    );
    expect(fixture.commit()).toMatchSnapshot();
    const another = { ...client, name: 'another', ips: ['10.244.2.4'] };
    fixture.putPod(another);
    const [, set] =
      /^add element ip jotasu-policy (pods-\w+) \{ 10\.244\.2\.4 \}\n$/.exec(fixture.commit()) ?? [];
    fixture.putPod({ ...another, phase: 'Succeeded' });
    expect(fixture.commit()).toBe(`delete element ip jotasu-policy ${set} { 10.244.2.4 }\n`);
  });

  test('of nothing: a policy of no pod here, and what happens to pods that no rule here names', () => {
    const fixture = new NodeFixture('n2').put(world());
    fixture.putPolicy(buildPolicy('elsewhere', { podSelector: { matchLabels: { app: 'web' } } }));
    expect(fixture.commit()).toBe('');
    fixture.putPod({ ...web, labels: { app: 'web', version: '2' } });
    expect(fixture.commit()).toBe('');
    expect([fixture.rules.policyCount, fixture.rules.enforcedCount]).toEqual([1, 0]);
  });

  test('names that nft would refuse are cut', () => {
    const fixture = new NodeFixture().put(world());
    fixture.putPolicy(buildPolicy('x'.repeat(253), { podSelector: {} }));
    const names = fixture.commit().match(/\bingress-ns\S+/g) ?? [];
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(name.length).toBeLessThan(256);
  });
});

describe('packets', () => {
  const denyAll = buildPolicy('deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });

  test('default deny: nothing new either way, but answers, itself, and the node', () => {
    const fixture = new NodeFixture().put(world(denyAll));
    expect(fixture.lets(attempt)).toBe(false);
    expect(fixture.lets(back)).toBe(false);
    expect(fixture.lets({ ...attempt, reply: true })).toBe(true);
    expect(fixture.lets({ ...back, reply: true })).toBe(true);
    expect(fixture.lets({ ...attempt, source: '10.244.1.2' })).toBe(true);
    expect(fixture.lets({ ...back, destination: policyNodeAddresses['n1']! })).toBe(true);
    expect(fixture.lets({ ...attempt, source: policyNodeAddresses['n1']! })).toBe(true);
    expect(fixture.lets({ ...attempt, source: policyNodeAddresses['n2']! })).toBe(false);
    expect(fixture.lets({ ...attempt, source: 'fd01::2:3', destination: 'fd01::1:2' })).toBe(false);
  });

  test('policies that come, change and go', () => {
    const fixture = new NodeFixture().put(world());
    const seen = [fixture.lets(attempt)];
    const steps: (() => void)[] = [
      () => fixture.putPolicy(denyAll),
      () => fixture.putPolicy(buildPolicy('allow', { podSelector: {}, ingress: [{}] })),
      () =>
        fixture.putPolicy(
          buildPolicy('allow', { podSelector: {}, ingress: [{ ports: [{ port: 'http' }] }] }),
        ),
      () => fixture.putPod({ ...web, ports: [{ name: 'http', port: 81 }] }),
      () => fixture.rules.setPolicy('ns/deny', undefined),
      () => fixture.rules.setPolicy('ns/allow', undefined),
    ];
    for (const step of steps) {
      step();
      fixture.commit();
      seen.push(fixture.lets(attempt));
    }
    expect(seen).toEqual([true, false, true, true, false, false, true]);
  });

  test('a policy that goes and comes again before the kernel hears of it', () => {
    const fixture = new NodeFixture().put(world(denyAll));
    fixture.rules.setPolicy('ns/deny', undefined);
    fixture.putPolicy(denyAll);
    expect(fixture.commit()).toBe('');
    expect(fixture.lets(attempt)).toBe(false);
  });

  test('the labels of a namespace change', () => {
    const from = [{ namespaceSelector: { matchLabels: { team: 'b' } } }];
    const fixture = new NodeFixture().put(world(buildPolicy('b', { podSelector: {}, ingress: [{ from }] })));
    expect(fixture.lets(attempt)).toBe(false);
    fixture.rules.setNamespace('other', { team: 'b' });
    fixture.commit();
    expect(fixture.lets(attempt)).toBe(true);
  });

  test.each([
    ['no rule', [], false],
    ['its address', [{ to: [{ ipBlock: { cidr: '10.96.0.10/32' } }] }], true],
    ['its port', [{ ports: [{ protocol: 'UDP', port: 53 }] }], true],
    ['another port', [{ ports: [{ protocol: 'UDP', port: 54 }] }], false],
    [
      'the labels of CoreDNS',
      [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
              podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
            },
          ],
          ports: [{ protocol: 'UDP', port: 'dns' }],
        },
      ],
      true,
    ],
  ] as const)('DNS of the node behind an egress policy: %s', (_, egress, lets) => {
    const fixture = new NodeFixture('n1', ['10.96.0.10']);
    fixture.rules.setNamespace('kube-system', { 'kubernetes.io/metadata.name': 'kube-system' });
    fixture.put(
      world(buildPolicy('names', { podSelector: {}, policyTypes: ['Egress'], egress: egress as never })),
    );
    const question: ConnectionAttempt = {
      source: '10.244.1.2',
      destination: '10.96.0.10',
      protocol: 'udp',
      port: 53,
    };
    expect(fixture.lets(question)).toBe(lets);
    expect(fixture.lets({ ...question, source: '10.244.2.3' })).toBe(true);
  });
});

test('generated worlds: what two nodes let pass is what the reference says', () => {
  let allowed = 0;
  let denied = 0;
  fc.assert(
    fc.property(arbitraryPolicyWorld({ pods: 6, policies: 4 }), (generated) => {
      const nodes = ['n1', 'n2'].map((name) => new NodeFixture(name).put(generated));
      for (const one of attemptsOf(generated)) {
        const expected = referenceAllows(generated, one);
        if (expected) allowed++;
        else denied++;
        if (nodes.every((node) => node.lets(one)) !== expected)
          throw new Error(`${JSON.stringify(one)}: expected ${expected ? 'to pass' : 'to be dropped'}`);
      }
    }),
    { numRuns: 60 },
  );
  // A generator that isolates nobody, or everybody, would show nothing.
  expect(Math.min(allowed, denied) / (allowed + denied)).toBeGreaterThan(0.1);
});

type Change =
  | { readonly pod: PolicyPodParts; readonly gone: boolean }
  | { readonly policy: NetworkPolicy; readonly gone: boolean }
  | { readonly namespaces: Readonly<Record<string, Labels>> };

const arbitraryChange: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    pod: fc.nat(5).chain(arbitraryPolicyPod),
    gone: fc.constantFrom(false, false, true),
  }),
  fc.record({ policy: arbitraryPolicy(2), gone: fc.constantFrom(false, false, true) }),
  fc.record({ namespaces: arbitraryPolicyNamespaces }),
);

test('after any changes the kernel has what a new table would have', () => {
  fc.assert(
    fc.property(fc.array(fc.array(arbitraryChange, { maxLength: 4 }), { maxLength: 12 }), (batches) => {
      const fixture = new NodeFixture();
      const pods = new Map<string, PolicyPodParts>();
      const policies = new Map<string, NetworkPolicy>();
      let namespaces: Readonly<Record<string, Labels>> = {};
      for (const batch of batches) {
        for (const change of batch) {
          if ('namespaces' in change) {
            namespaces = change.namespaces;
            for (const [name, labels] of Object.entries(namespaces)) fixture.rules.setNamespace(name, labels);
          } else if ('pod' in change) {
            const { name, namespace } = change.pod;
            if (change.gone) fixture.rules.setPod(`${namespace}/${name}`, undefined);
            else fixture.putPod(change.pod);
            if (change.gone) pods.delete(name);
            else pods.set(name, change.pod);
          } else {
            const key = keyOf(change.policy);
            fixture.rules.setPolicy(key, change.gone ? undefined : change.policy);
            if (change.gone) policies.delete(key);
            else policies.set(key, change.policy);
          }
        }
        fixture.commit();
        const anew = new NodeFixture().put({
          namespaces,
          pods: [...pods.values()],
          policies: [...policies.values()],
        });
        expect(fixture.kernel.text()).toBe(anew.kernel.text());
        const replaced = new NftModel();
        replaced.apply(fixture.rules.takeReplacement());
        expect(replaced.text()).toBe(fixture.kernel.text());
      }
    }),
    { numRuns: 60 },
  );
});
