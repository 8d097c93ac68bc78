import { describe, expect, it } from 'vitest';
import { type Body, container, createCauses } from '../fixture.ts';

/** What is laid over a container of an otherwise good pod, and the complaints. */
const inContainer = (more: Body, spec: Body = {}): string[] =>
  createCauses({ containers: [container(more)], ...spec });
const at = 'spec.containers[0]';

const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

describe('containers', () => {
  const good: [string, Body][] = [
    ['plain', {}],
    [
      'ports',
      {
        ports: [
          { containerPort: 80, name: 'http' },
          { containerPort: 443, name: 'https', hostPort: 443 },
        ],
      },
    ],
    [
      'resources',
      { resources: { requests: { cpu: '1', 'example.com/gpu': '1' }, limits: { 'example.com/gpu': '1' } } },
    ],
    ['probe by name', { readinessProbe: { httpGet: { port: 'http' } } }],
    ['odd variable names', { env: [{ name: 'a b:c' }] }],
    ['sleep', { lifecycle: { preStop: { sleep: { seconds: 0 } } } }],
    [
      'own restart policy',
      {
        restartPolicy: 'Never',
        restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
      },
    ],
    ['privileged', { securityContext: { privileged: true } }],
  ];
  it.each(good)('%s: fine', (_, body) => expect(inContainer(body)).toEqual([]));

  const bad: [Body, string[]][] = [
    [{ name: '' }, [`${at}.name: Required value`]],
    [{ name: 'Web_1' }, [`${at}.name: Invalid value: "Web_1": ${label}`]],
    [{ image: '' }, [`${at}.image: Required value`]],
    [{ image: ' a' }, [`${at}.image: Invalid value: " a": must not have leading or trailing whitespace`]],
    [
      { imagePullPolicy: 'Sometimes' },
      [
        `${at}.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"`,
      ],
    ],
    [
      { ports: [{ containerPort: 0 }, { containerPort: 70000, protocol: 'ICMP' }] },
      [
        `${at}.ports[0].containerPort: Required value`,
        `${at}.ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`,
        `${at}.ports[1].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"`,
      ],
    ],
    [
      {
        ports: [
          { containerPort: 80, hostPort: 80, name: 'a' },
          { containerPort: 81, hostPort: 80, name: 'a' },
        ],
      },
      [`${at}.ports[1].name: Duplicate value: "a"`, `${at}.ports[1].hostPort: Duplicate value: "TCP//80"`],
    ],
    [
      { env: [{ name: '' }, { name: 'A=B' }, { name: 'C', value: 'x', valueFrom: {} }] },
      [
        `${at}.env[0].name: Required value`,
        `${at}.env[1].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '='`,
        `${at}.env[2].valueFrom: Invalid value: "": must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\`, \`secretKeyRef\` or \`fileKeyRef\``,
      ],
    ],
    [
      {
        env: [
          { name: 'A', value: 'x', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
          { name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.startTime' } } },
          { name: 'C', valueFrom: { fieldRef: { fieldPath: 'metadata.labels' } } },
          { name: 'D', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '2' } } },
          { name: 'E', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
        ],
      },
      [
        `${at}.env[0].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`,
        `${at}.env[1].valueFrom.fieldRef.fieldPath: Invalid value: "status.startTime": error converting fieldPath: field label not supported: status.startTime`,
        `${at}.env[2].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`,
        `${at}.env[3].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource`,
      ],
    ],
    [
      { envFrom: [{}] },
      [`${at}.envFrom: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``],
    ],
    [
      {
        volumeMounts: [
          { name: 'absent', mountPath: '/a' },
          { name: 'absent', mountPath: '/a', subPath: '../x' },
        ],
      },
      [
        `${at}.volumeMounts[0].name: Not found: "absent"`,
        `${at}.volumeMounts[1].name: Not found: "absent"`,
        `${at}.volumeMounts[1].mountPath: Invalid value: "/a": must be unique`,
        `${at}.volumeMounts.subPath: Invalid value: "../x": must not contain '..'`,
      ],
    ],
    [
      { resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } },
      [`${at}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`],
    ],
    [
      { resources: { requests: { cpu: '-1', disk: '1', 'example.com/gpu': '1' } } },
      [
        `${at}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
        `${at}.resources.requests[disk]: Invalid value: "disk": must be a standard resource type or fully qualified`,
        `${at}.resources.requests[disk]: Invalid value: "disk": must be a standard resource for containers`,
        `${at}.resources.limits: Required value: Limit must be set for non overcommitable resources`,
      ],
    ],
    [
      { resources: { limits: { 'hugepages-2Mi': '3Mi' } } },
      [
        `${at}.resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
        `${at}.resources: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
        `${at}.resources: Forbidden: HugePages require cpu or memory`,
      ],
    ],
    [
      {
        livenessProbe: {},
        readinessProbe: { exec: {}, tcpSocket: { port: 80 }, terminationGracePeriodSeconds: 1 },
      },
      [
        `${at}.livenessProbe: Required value: must specify a handler type`,
        `${at}.readinessProbe.exec.command: Required value`,
        `${at}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`,
        `${at}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes`,
      ],
    ],
    [
      { livenessProbe: { tcpSocket: { port: 'a b' }, successThreshold: 2, periodSeconds: -1 } },
      [
        `${at}.livenessProbe.tcpSocket.port: Invalid value: "a b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
        `${at}.livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0`,
        `${at}.livenessProbe.successThreshold: Invalid value: 2: must be 1`,
      ],
    ],
    [
      { lifecycle: { preStop: { sleep: { seconds: 31 } } } },
      [
        `${at}.lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)`,
      ],
    ],
    [
      { securityContext: { runAsUser: -1, procMount: 'Unmasked', seccompProfile: { type: 'Localhost' } } },
      [
        `${at}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 4294967295, inclusive`,
        `${at}.securityContext.procMount: Invalid value: "Unmasked": \`hostUsers\` must be false to use \`Unmasked\``,
        `${at}.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost`,
      ],
    ],
    [
      { restartPolicyRules: [{ action: 'Stop', exitCodes: { operator: 'Is', values: [1] } }] },
      [
        `${at}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`,
        `${at}.restartPolicyRules[0].action: Unsupported value: "Stop": supported values: "Restart"`,
        `${at}.restartPolicyRules[0].exitCodes.operator: Unsupported value: "Is": supported values: "In", "NotIn"`,
      ],
    ],
  ];
  it.each(bad)('%j', (body, causes) => expect(inContainer(body)).toEqual(causes));

  it('have names of their own', () => {
    const two = [container(), container()];
    expect(createCauses({ containers: two })).toEqual([`spec.containers[1].name: Duplicate value: "web"`]);
    expect(createCauses({ initContainers: [container()] })).toEqual([
      'spec.initContainers[0].name: Duplicate value: "web"',
    ]);
    expect(createCauses({ containers: [] })).toEqual(['spec.containers: Required value']);
  });

  it('that initialise have no probes, unless they keep running', () => {
    const init = container({ name: 'init', readinessProbe: { tcpSocket: { port: 80 } } });
    expect(createCauses({ initContainers: [init] })).toEqual([
      'spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ]);
    expect(createCauses({ initContainers: [{ ...init, restartPolicy: 'Always' }] })).toEqual([]);
  });

  it('for debugging come later', () => {
    expect(
      createCauses({ ephemeralContainers: [container({ name: 'debug', ports: [{ containerPort: 1 }] })] }),
    ).toEqual([
      'spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container',
      'spec.ephemeralContainers: Forbidden: cannot be set on create',
    ]);
  });
});
