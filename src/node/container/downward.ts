// Fields of a pod that its containers may read, in variables and files: fieldRef and resourceFieldRef. Pure.
import type { coreV1, Pod } from '../../api/index.ts';
import { mustParseQuantity, scaledValue, toMilli } from '../../machinery/index.ts';

export interface DownwardContext {
  readonly pod: Pod;
  readonly podIps: readonly string[];
  readonly nodeIps: readonly string[];
  /** Stands in for limits that are not set. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** `key="value"` a line, sorted, quoted as Go's %q: the format of labels and annotations in files. */
export function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.keys(map ?? {})
    .sort()
    .map((key) => `${key}=${goQuote(map![key]!)}`)
    .join('\n');
}

function goQuote(text: string): string {
  let out = '"';
  for (const c of text) {
    if (c === '"' || c === '\\') out += `\\${c}`;
    else if (c === '\n') out += '\\n';
    else if (c === '\t') out += '\\t';
    else if (c === '\r') out += '\\r';
    else if (c < ' ' || c === '\x7f') out += `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
    else out += c;
  }
  return `${out}"`;
}

const subscript = /^(.*)\['(.+)'\]$/;

/** Throws when the path names nothing that may be read so. */
export function fieldValue(context: DownwardContext, path: string): string {
  const { pod } = context;
  const sub = subscript.exec(path);
  if (sub !== null) {
    if (sub[1] === 'metadata.labels') return pod.metadata.labels?.[sub[2]!] ?? '';
    if (sub[1] === 'metadata.annotations') return pod.metadata.annotations?.[sub[2]!] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid;
    case 'metadata.labels':
      return formatMap(pod.metadata.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations);
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'status.hostIP':
      return context.nodeIps[0] ?? '';
    case 'status.hostIPs':
      return context.nodeIps.join(',');
    case 'status.podIP':
      return context.podIps[0] ?? '';
    case 'status.podIPs':
      return context.podIps.join(',');
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
}

/** In units of the divisor, rounded up. Throws on a container or resource that is not there. */
export function resourceValue(
  context: DownwardContext,
  selector: coreV1.ResourceFieldSelector,
  defaultContainer: string,
): string {
  const name = selector.containerName || defaultContainer;
  const { spec } = context.pod;
  const container = [...spec.containers, ...(spec.initContainers ?? [])].find((c) => c.name === name);
  if (container === undefined) throw new Error(`container ${name} not found`);
  const [list, resource = ''] = split(selector.resource);
  if (list === undefined) throw new Error(`unsupported container resource : ${selector.resource}`);
  let quantity = container.resources?.[list]?.[resource];
  // Without a limit, what the node has is the limit.
  if (quantity === undefined && list === 'limits') quantity = context.allocatable[resource];
  const divisor = mustParseQuantity(selector.divisor && selector.divisor !== '0' ? selector.divisor : '1');
  const value = mustParseQuantity(quantity ?? '0');
  if (resource === 'cpu') return String(Math.ceil(toMilli(value) / toMilli(divisor)));
  const whole = scaledValue(value, 0);
  const by = scaledValue(divisor, 0);
  return String(by === 0n ? whole : (whole + by - 1n) / by);
}

function split(path: string): ['limits' | 'requests' | undefined, string?] {
  const dot = path.indexOf('.');
  const list = path.slice(0, dot);
  return list === 'limits' || list === 'requests' ? [list, path.slice(dot + 1)] : [undefined];
}
