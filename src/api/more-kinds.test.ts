// What the server fills in and what it refuses, for the kinds without a test file of their own.
import { describe, expect, it } from 'vitest';
import type { KindDef } from '../machinery/index.ts';
import { complaints, created } from '../testkit/index.ts';
import { kindFor } from './kinds.ts';

type Body = Record<string, unknown>;
const kind = (name: string): KindDef => {
  const slash = name.lastIndexOf('/');
  return kindFor(name.slice(0, slash), name.slice(slash + 1))!;
};

const labels = { app: 'a' };
const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'busybox:1' }] } };
const selector = { matchLabels: labels };
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const webhook = {
  name: 'a.b.c',
  clientConfig: { service: { name: 's', namespace: 'n' } },
  rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const backend = { service: { name: 'web', port: { number: 80 } } };
const slice = {
  driver: 'd.example.com',
  pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
  nodeName: 'n',
};

describe('what is read back', () => {
  it.each<[string, Body, object]>([
    [
      'apps/v1/StatefulSet',
      { spec: { selector, template, volumeClaimTemplates: [{ metadata: { name: 'd' }, spec: claim }] } },
      {
        spec: {
          podManagementPolicy: 'OrderedReady',
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0, maxUnavailable: 1 } },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
          replicas: 1,
          revisionHistoryLimit: 10,
          serviceName: '',
          volumeClaimTemplates: [
            {
              apiVersion: 'v1',
              kind: 'PersistentVolumeClaim',
              spec: { volumeMode: 'Filesystem' },
              status: { phase: 'Pending' },
            },
          ],
        },
        status: { replicas: 0, availableReplicas: 0 },
      },
    ],
    [
      'apps/v1/DaemonSet',
      { spec: { selector, template } },
      {
        metadata: { annotations: { 'deprecated.daemonset.template.generation': '1' } },
        spec: {
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
          revisionHistoryLimit: 10,
        },
      },
    ],
    [
      'v1/ReplicationController',
      { spec: { template } },
      { metadata: { labels }, spec: { replicas: 1, selector: labels } },
    ],
    [
      'v1/PersistentVolumeClaim',
      { spec: { ...claim, dataSource: { kind: 'PersistentVolumeClaim', name: 'o' } } },
      {
        spec: { volumeMode: 'Filesystem', dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'o' } },
        status: { phase: 'Pending' },
      },
    ],
    [
      'v1/PersistentVolume',
      { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/d' } } },
      {
        spec: {
          persistentVolumeReclaimPolicy: 'Retain',
          volumeMode: 'Filesystem',
          hostPath: { path: '/d', type: '' },
        },
        status: { phase: 'Pending', lastPhaseTransitionTime: '2026-01-01T00:00:00Z' },
      },
    ],
    [
      'v1/LimitRange',
      { spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { memory: '1Mi' } }] } },
      {
        spec: {
          limits: [{ type: 'Container', default: { cpu: '2' }, defaultRequest: { cpu: '2', memory: '1Mi' } }],
        },
      },
    ],
    [
      'rbac.authorization.k8s.io/v1/RoleBinding',
      { roleRef: { kind: 'Role', name: 'r' }, subjects: [{ kind: 'User', name: 'u' }] },
      {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io' }],
      },
    ],
    [
      'networking.k8s.io/v1/NetworkPolicy',
      { spec: { egress: [{ ports: [{ port: 53 }] }] } },
      {
        spec: {
          podSelector: {},
          policyTypes: ['Ingress', 'Egress'],
          egress: [{ ports: [{ port: 53, protocol: 'TCP' }] }],
        },
      },
    ],
    [
      'storage.k8s.io/v1/StorageClass',
      { provisioner: 'p.io/x' },
      { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
    ],
    [
      'storage.k8s.io/v1/CSIDriver',
      { spec: {} },
      {
        spec: {
          attachRequired: true,
          fsGroupPolicy: 'ReadWriteOnceWithFSType',
          podInfoOnMount: false,
          requiresRepublish: false,
          seLinuxMount: false,
          storageCapacity: false,
          volumeLifecycleModes: ['Persistent'],
        },
      },
    ],
    [
      'admissionregistration.k8s.io/v1/MutatingWebhookConfiguration',
      { webhooks: [webhook] },
      {
        webhooks: [
          {
            failurePolicy: 'Fail',
            matchPolicy: 'Equivalent',
            namespaceSelector: {},
            objectSelector: {},
            reinvocationPolicy: 'Never',
            timeoutSeconds: 10,
            clientConfig: { service: { port: 443 } },
            rules: [{ scope: '*' }],
          },
        ],
      },
    ],
    [
      'resource.k8s.io/v1/ResourceClaim',
      { spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } } },
      {
        spec: { devices: { requests: [{ exactly: { allocationMode: 'ExactCount', count: 1 } }] } },
      },
    ],
    [
      'apiregistration.k8s.io/v1/APIService',
      {
        metadata: { name: 'v1.g.io' },
        spec: { group: 'g.io', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 },
      },
      {
        status: { conditions: [{ type: 'Available', status: 'True', reason: 'Local' }] },
      },
    ],
    [
      'flowcontrol.apiserver.k8s.io/v1/PriorityLevelConfiguration',
      { spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing: {} } } } },
      {
        spec: {
          limited: {
            nominalConcurrencyShares: 30,
            lendablePercent: 0,
            limitResponse: { queuing: { handSize: 8, queues: 64, queueLengthLimit: 50 } },
          },
        },
      },
    ],
  ])('%s', (name, body, wanted) => {
    const object = created(kind(name), body);
    expect(object).toMatchObject(wanted);
    expect(complaints(kind(name), object)).toEqual([]);
  });
});

describe('what is refused', () => {
  it.each<[string, Body, string[]]>([
    [
      'apps/v1/DaemonSet',
      { spec: { selector: { matchLabels: { a: 'not a label' } }, template } },
      [
        expect.stringMatching(
          /^spec.selector.matchLabels: Invalid value: "not a label": a valid label must be/,
        ),
      ],
    ],
    [
      'v1/PersistentVolume',
      {
        spec: {
          capacity: { storage: '1' },
          accessModes: ['ReadWriteOnce'],
          csi: {
            driver: 'd',
            volumeHandle: 'h',
            nodeStageSecretRef: { name: 'A', namespace: 'a.b' },
            nodePublishSecretRef: { name: 'A.b', namespace: 'a.b' },
          },
        },
      },
      [
        expect.stringMatching(
          /^spec.csi.nodePublishSecretRef.name: Invalid value: "A.b": a lowercase RFC 1123 subdomain/,
        ),
        'spec.csi.nodePublishSecretRef.namespace: Invalid value: "a.b": must not contain dots',
      ],
    ],
    [
      'apps/v1/StatefulSet',
      { spec: { selector: {}, template, podManagementPolicy: 'Any' } },
      [
        "spec.podManagementPolicy: Invalid value: \"Any\": must be 'OrderedReady' or 'Parallel'",
        'spec.selector: Invalid value: {}: empty selector is invalid for statefulset',
      ],
    ],
    [
      'apps/v1/DaemonSet',
      { spec: { selector, template, updateStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } } } },
      [
        'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero',
      ],
    ],
    [
      'v1/PersistentVolumeClaim',
      { spec: {} },
      [
        'spec.accessModes: Required value: at least 1 access mode is required',
        'spec.resources[storage]: Required value',
      ],
    ],
    [
      'v1/PersistentVolume',
      { spec: { capacity: { storage: '0' }, accessModes: ['Often'] } },
      [
        'spec.accessModes: Unsupported value: "Often": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
        'spec.capacity[storage]: Invalid value: "0": must be greater than zero',
        'spec: Required value: must specify a volume type',
      ],
    ],
    [
      'v1/ResourceQuota',
      { spec: { hard: { gpus: '1', pods: '1500m' }, scopes: ['BestEffort', 'NotBestEffort'] } },
      [
        'spec.hard[gpus]: Invalid value: "gpus": must be a standard resource type or fully qualified',
        'spec.hard[gpus]: Invalid value: "gpus": must be a standard resource for quota',
        'spec.hard[pods]: Invalid value: "1500m": must be an integer',
        'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
      ],
    ],
    [
      'v1/LimitRange',
      { spec: { limits: [{ type: 'Pod', max: { cpu: '1' }, min: { cpu: '2' } }] } },
      ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
    ],
    [
      'rbac.authorization.k8s.io/v1/Role',
      { rules: [{ verbs: [], nonResourceURLs: ['/x'] }] },
      [
        'rules[0].verbs: Required value: verbs must contain at least one value',
        'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
      ],
    ],
    [
      'networking.k8s.io/v1/Ingress',
      { spec: {} },
      ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ],
    [
      'networking.k8s.io/v1/Ingress',
      {
        spec: { rules: [{ host: '1.2.3.4', http: { paths: [{ path: 'x', pathType: 'Prefix', backend }] } }] },
      },
      [
        'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
        'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
      ],
    ],
    [
      'networking.k8s.io/v1/NetworkPolicy',
      {
        spec: {
          ingress: [
            { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16', '10.1.0.0/16'] } }, {}] },
          ],
        },
      },
      [
        'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
        'spec.ingress[0].from[1]: Required value: must specify a peer',
      ],
    ],
    [
      'networking.k8s.io/v1/IPAddress',
      { metadata: { name: '2001:DB8::1' }, spec: { parentRef: { resource: 'services', name: 's' } } },
      ['metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")'],
    ],
    [
      'policy/v1/PodDisruptionBudget',
      { spec: { minAvailable: 1, maxUnavailable: '101%' } },
      [
        'spec: Invalid value: {"minAvailable":1,"maxUnavailable":"101%"}: minAvailable and maxUnavailable cannot be both set',
        'spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
      ],
    ],
    [
      'autoscaling/v2/HorizontalPodAutoscaler',
      { spec: { minReplicas: 3, maxReplicas: 2, scaleTargetRef: { kind: 'Deployment' } } },
      [
        'spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`',
        'spec.scaleTargetRef.name: Required value',
      ],
    ],
    [
      'admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration',
      { webhooks: [{ ...webhook, name: 'a', sideEffects: 'Some', clientConfig: { url: 'http://x' } }] },
      [
        'webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots',
        'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
        'webhooks[0].clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
      ],
    ],
    [
      'resource.k8s.io/v1/ResourceSlice',
      { spec: { ...slice, devices: [{ name: 'a', attributes: { v: { version: '1' } } }, { name: 'a' }] } },
      [
        'spec.devices[0].attributes[v].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
        'spec.devices[1]: Duplicate value: "a"',
      ],
    ],
    [
      'resource.k8s.io/v1/DeviceClass',
      {
        spec: {
          selectors: [
            { cel: { expression: 'device.drivers == "a"' } },
            { cel: { expression: 'device.driver' } },
            { cel: { expression: 'device.driver == "a"' } },
          ],
        },
      },
      [
        'spec.selectors[0].cel.expression: Invalid value: "device.drivers == \\"a\\"": compilation failed: ERROR: <input>:1:7: undefined field \'drivers\'\n | device.drivers == "a"\n | ......^',
        'spec.selectors[1].cel.expression: Invalid value: "device.driver": must evaluate to bool or the unknown type, not string',
      ],
    ],
    [
      'certificates.k8s.io/v1/CertificateSigningRequest',
      { spec: { request: '', signerName: 'x', usages: ['cook'] } },
      [
        'spec.request: Invalid value: "": PEM block type must be CERTIFICATE REQUEST',
        expect.stringContaining('spec.usages[0]: Unsupported value: "cook"'),
        'spec.signerName: Invalid value: "x": must be a fully qualified domain and path of the form \'example.com/signer-name\'',
      ],
    ],
    [
      'storage.k8s.io/v1/VolumeAttachment',
      { spec: { attacher: 'a.io', nodeName: 'n', source: {} } },
      ['spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName'],
    ],
    [
      'node.k8s.io/v1/RuntimeClass',
      { handler: 'Kata' },
      [expect.stringContaining('handler: Invalid value: "Kata"')],
    ],
  ])('%s %j', (name, body, wanted) =>
    expect(complaints(kind(name), created(kind(name), body))).toEqual(wanted),
  );
});
