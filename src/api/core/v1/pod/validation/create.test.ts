import { describe, expect, it } from 'vitest';
import { type Body, container, createCauses } from '../fixture.ts';

describe('volumes', () => {
  const cases: [string, Body[], string[]][] = [
    [
      'good ones',
      [
        { name: 'a' },
        { name: 'b', configMap: { name: 'c' } },
        { name: 'c', persistentVolumeClaim: { claimName: 'x' } },
      ],
      [],
    ],
    ['two of a name', [{ name: 'a' }, { name: 'a' }], ['spec.volumes[1].name: Duplicate value: "a"']],
    ['no name', [{ name: '', emptyDir: {} }], ['spec.volumes[0].name: Required value']],
    [
      'two sources',
      [{ name: 'a', emptyDir: {}, hostPath: { path: '/' } }],
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'a step up',
      [{ name: 'a', hostPath: { path: '/a/../b', type: 'Floppy' } }],
      [
        `spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain '..'`,
        'spec.volumes[0].hostPath.type: Unsupported value: "Floppy": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
      ],
    ],
    [
      'no name of what it shows',
      [{ name: 'a', secret: {} }],
      ['spec.volumes[0].secret.secretName: Required value'],
    ],
    [
      'modes and items',
      [{ name: 'a', configMap: { name: 'c', defaultMode: 512, items: [{ key: '', path: '/x' }] } }],
      [
        'spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive',
        'spec.volumes[0].configMap.items[0].key: Required value',
        'spec.volumes[0].configMap.items[0].path: Invalid value: "/x": must be a relative path',
      ],
    ],
    [
      'projected twice to one path',
      [
        {
          name: 'a',
          projected: {
            sources: [
              { secret: { name: 's', items: [{ key: 'k', path: 'p' }] } },
              { configMap: { name: 'c', items: [{ key: 'k', path: 'p' }] } },
            ],
          },
        },
      ],
      ['spec.volumes[0].projected: Invalid value: "c": conflicting duplicate paths'],
    ],
    [
      'a token without an account',
      [
        {
          name: 'a',
          projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 60 } }] },
        },
      ],
      [
        'spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
        'spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set',
      ],
    ],
    [
      'a claim made for an ephemeral volume',
      [
        {
          name: 'a',
          ephemeral: {
            volumeClaimTemplate: {
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
          },
        },
        { name: 'b', persistentVolumeClaim: { claimName: 'p-a' } },
      ],
      [
        'spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: "p-a": must not reference a PVC that gets created for an ephemeral volume',
      ],
    ],
    [
      'nfs',
      [{ name: 'a', nfs: { server: '', path: 'x' } }],
      [
        'spec.volumes[0].nfs.server: Required value',
        'spec.volumes[0].nfs.path: Invalid value: "x": must be an absolute path',
      ],
    ],
    ['csi', [{ name: 'a', csi: { driver: 'a.b' } }], []],
  ];
  it.each(cases)('%s', (_, volumes, causes) => expect(createCauses({ volumes })).toEqual(causes));
});

describe('the rest of a spec', () => {
  const cases: [Body, string[]][] = [
    [
      { restartPolicy: 'Sometimes', dnsPolicy: 'Guess' },
      [
        'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
        'spec.dnsPolicy: Unsupported value: "Guess": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"',
      ],
    ],
    [
      { dnsPolicy: 'None' },
      ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
    ],
    [
      { dnsConfig: { nameservers: ['1.1.1.1', 'x'], searches: ['.', '_a.b.', 'A'], options: [{}] } },
      [
        'spec.dnsConfig.nameservers[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        `spec.dnsConfig.searches[2]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')`,
        'spec.dnsConfig.options[0]: Required value: must not be empty',
      ],
    ],
    [
      {
        tolerations: [
          { operator: 'Equal' },
          { key: 'a', operator: 'Exists', value: 'x' },
          { key: 'a', effect: 'Evict', tolerationSeconds: 1 },
          { key: 'a', operator: 'Gt' },
        ],
      },
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
        `spec.tolerations[1].operator: Invalid value: "x": value must be empty when \`operator\` is 'Exists'`,
        `spec.tolerations[2].effect: Invalid value: "Evict": effect must be 'NoExecute' when \`tolerationSeconds\` is set`,
        'spec.tolerations[2].effect: Unsupported value: "Evict": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
        'spec.tolerations[3].operator: Unsupported value: "Gt": supported values: "Equal", "Exists"',
      ],
    ],
    [
      {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] },
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 0, preference: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
            ],
          },
          podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: '' }] },
        },
      },
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
        'spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100',
        "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty',
        'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "": name part must be non-empty',
        "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
      ],
    ],
    [
      {
        topologySpreadConstraints: [
          {
            maxSkew: 0,
            topologyKey: 'zone',
            whenUnsatisfiable: 'ScheduleAnyway',
            minDomains: 2,
            labelSelector: {},
          },
          { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway', matchLabelKeys: ['a'] },
        ],
      },
      [
        'spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero',
        'spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, ScheduleAnyway}"',
        'spec.topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway',
        'spec.topologySpreadConstraints[1].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set',
      ],
    ],
    [
      {
        hostNetwork: true,
        hostUsers: false,
        containers: [container({ ports: [{ containerPort: 80, hostPort: 81 }] })],
      },
      [
        'spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true',
        'spec.hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false',
      ],
    ],
    [
      { schedulingGates: [{ name: 'a.b/c' }, { name: 'a.b/c' }], nodeName: 'n' },
      [
        'spec.schedulingGates[1]: Duplicate value: "a.b/c"',
        'spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared',
      ],
    ],
    [
      {
        os: { name: 'windows' },
        hostPID: true,
        containers: [container({ securityContext: { runAsUser: 1 } })],
      },
      [
        'spec.hostPID: Forbidden: cannot be set for a windows pod',
        'spec.containers[0].securityContext.runAsUser: Forbidden: cannot be set for a windows pod',
      ],
    ],
    [{ os: { name: 'beos' } }, ['spec.os: Unsupported value: "beos": supported values: "linux", "windows"']],
    [
      { activeDeadlineSeconds: 0 },
      ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
    ],
    [
      { hostAliases: [{ ip: '1.2.3', hostnames: ['a'] }] },
      [
        'spec.hostAliases[0].ip: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
    ],
    [
      {
        hostNetwork: true,
        securityContext: {
          sysctls: [
            { name: 'net.core.x', value: '1' },
            { name: 'A', value: '1' },
          ],
        },
      },
      [
        `spec.securityContext.sysctls[0].name: Invalid value: "net.core.x": may not be specified when 'hostNetwork' is true`,
        'spec.securityContext.sysctls[1].name: Invalid value: "A": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
      ],
    ],
    [
      {
        resources: { requests: { cpu: '1' } },
        containers: [container({ resources: { requests: { cpu: '2' } } })],
      },
      [
        'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2',
      ],
    ],
    [
      {
        resourceClaims: [{ name: 'gpu' }],
        containers: [container({ resources: { claims: [{ name: 'x' }] } })],
      },
      [
        'spec.resourceClaims[0]: Invalid value: {"name":"gpu"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
        'spec.containers[0].resources.claims[0]: Not found: "x": must be one of the names in pod.spec.resourceClaims: gpu',
      ],
    ],
  ];
  it.each(cases)('%j', (spec, causes) => expect(createCauses(spec)).toEqual(causes));
});

it('annotations that mean something', () => {
  const annotations = {
    'controller.kubernetes.io/pod-deletion-cost': '+1',
    'kubernetes.io/config.mirror': 'x',
    'container.apparmor.security.beta.kubernetes.io/absent': 'nonsense',
  };
  expect(createCauses({}, { annotations })).toEqual([
    'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set',
    'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": must be a 32bit integer',
    'metadata.annotations[container.apparmor.security.beta.kubernetes.io/absent]: Invalid value: "absent": container not found',
    'metadata.annotations[container.apparmor.security.beta.kubernetes.io/absent]: Invalid value: "nonsense": invalid AppArmor profile name: "nonsense"',
  ]);
});
