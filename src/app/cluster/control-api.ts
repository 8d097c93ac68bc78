// The few questions that commands on clusters ask the API server, as plain JSON: loading every kind and its rules for them would
// cost more than the answers.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/index.ts';
import { CommandFailure } from '../../cli/index.ts';
import { createHttpsClient, type HttpsClient } from '../../http/index.ts';
import { pkiDir, serverUrl } from './places.ts';
import type { ClusterState } from './state.ts';

export interface NodeFacts {
  readonly name: string;
  readonly ready: boolean;
  readonly podCidrs: readonly string[];
  readonly version: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** The internal one. */
  readonly address?: string | undefined;
}

export interface PodFacts {
  readonly node: string | undefined;
  /** Containers that run now. */
  readonly running: number;
}

export interface ControlApi {
  isReady(): Promise<boolean>;
  version(): Promise<string>;
  listNodes(): Promise<NodeFacts[]>;
  listPods(): Promise<PodFacts[]>;
  /** When each node was last heard of, in ms since the epoch. */
  readHeartbeats(): Promise<Map<string, number>>;
  /** None is fine. */
  deleteNode(name: string): Promise<void>;
  createNode(node: object): Promise<void>;
  /** null takes one away. */
  annotateNode(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void>;
  close(): void;
}

/** Needs the server's directory to hold certificates; a server that does not answer rejects each call. */
export function connectControlApi(state: ClusterState, clock: Clock): ControlApi {
  const read = (file: string) => readFileSync(join(pkiDir(state), file), 'utf8');
  const http = createHttpsClient({
    server: serverUrl(state),
    ca: read('ca.crt'),
    cert: read('admin.crt'),
    key: read('admin.key'),
    userAgent: 'jotasu-cluster',
    timeoutMs: 5_000,
    clock,
  });
  return controlApiOver(http);
}

interface Item {
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: { podCIDRs?: string[]; nodeName?: string; renewTime?: string };
  status?: {
    conditions?: { type: string; status: string }[];
    addresses?: { type: string; address: string }[];
    nodeInfo?: { kubeletVersion?: string };
    containerStatuses?: { state?: { running?: unknown } }[];
  };
}

export function controlApiOver(http: HttpsClient): ControlApi {
  const get = async (path: string): Promise<unknown> => {
    const { status, body } = await http.request({ method: 'GET', path });
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${body.toString('utf8').slice(0, 500)}`);
    return JSON.parse(body.toString('utf8'));
  };
  const send = async (method: 'POST' | 'PATCH', path: string, value: object): Promise<void> => {
    const headers = {
      'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
    };
    const { status, body } = await http.request({ method, path, headers, body: JSON.stringify(value) });
    if (status >= 300)
      throw new CommandFailure(`${method} ${path}: ${status} ${body.toString('utf8').slice(0, 500)}`);
  };
  const list = async (path: string): Promise<Item[]> => ((await get(path)) as { items?: Item[] }).items ?? [];
  return {
    isReady: async () => (await http.request({ method: 'GET', path: '/readyz' })).status === 200,
    version: async () => ((await get('/version')) as { gitVersion: string }).gitVersion,
    listNodes: async () =>
      (await list('/api/v1/nodes')).map(({ metadata, spec, status }) => ({
        name: metadata.name,
        ready: status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
        podCidrs: spec?.podCIDRs ?? [],
        version: status?.nodeInfo?.kubeletVersion,
        labels: metadata.labels,
        annotations: metadata.annotations,
        address: status?.addresses?.find(({ type }) => type === 'InternalIP')?.address,
      })),
    listPods: async () =>
      (await list('/api/v1/pods')).map(({ spec, status }) => ({
        node: spec.nodeName,
        running: (status?.containerStatuses ?? []).filter((c) => c.state?.running !== undefined).length,
      })),
    readHeartbeats: async () =>
      new Map(
        (await list('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases')).map(
          ({ metadata, spec }) => [metadata.name, Date.parse(spec.renewTime ?? '') || 0],
        ),
      ),
    async deleteNode(name) {
      const { status, body } = await http.request({ method: 'DELETE', path: `/api/v1/nodes/${name}` });
      if (status !== 200 && status !== 202 && status !== 404)
        throw new Error(`DELETE node ${name}: ${status} ${body.toString('utf8').slice(0, 500)}`);
    },
    async createNode(node) {
      await send('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', ...node });
    },
    async annotateNode(name, annotations) {
      await send('PATCH', `/api/v1/nodes/${name}`, { metadata: { annotations } });
    },
    close: () => http.close(),
  };
}
