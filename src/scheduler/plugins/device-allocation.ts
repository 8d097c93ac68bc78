// What is written into a claim that has got devices: which, with what configuration, and from which nodes they can be reached. Pure.
import type { coreV1, DeviceClass, ResourceClaim, resourceV1 } from '../../api/index.ts';
import type { Chosen } from './device-search.ts';

type Config = resourceV1.DeviceAllocationConfiguration;

export function allocationOf(claim: ResourceClaim, chosen: readonly Chosen[]): resourceV1.AllocationResult {
  const config = configOf(claim, chosen);
  const nodeSelector = nodesOf(chosen);
  return {
    devices: {
      results: chosen.map(({ wanted, offered }) => ({
        request: wanted.name,
        driver: offered.slice.spec.driver,
        pool: offered.slice.spec.pool.name,
        device: offered.device.name,
        ...(wanted.adminAccess && { adminAccess: true }),
      })),
      ...(config.length > 0 && { config: [...config] }),
    },
    ...(nodeSelector !== undefined && { nodeSelector }),
  };
}

/** That of the classes first, each once; what is for all requests names none. */
function configOf(claim: ResourceClaim, chosen: readonly Chosen[]): readonly Config[] {
  const { requests = [], config = [] } = claim.spec.devices ?? {};
  const selected = new Set(chosen.map(({ wanted }) => wanted));
  const ofClass = new Map<DeviceClass, string[]>();
  for (const { deviceClass, name } of selected)
    ofClass.set(deviceClass, [...(ofClass.get(deviceClass) ?? []), name]);
  const out: Config[] = [];
  for (const [{ spec }, names] of ofClass)
    for (const { opaque } of spec.config ?? []) out.push({ source: 'FromClass', requests: names, opaque });
  for (const { requests: of = [], opaque } of config) {
    const applies =
      of.length === 0 || [...selected].some(({ name, request }) => of.includes(request) || of.includes(name));
    if (applies) out.push({ source: 'FromClaim', ...(of.length > 0 && { requests: [...of] }), opaque });
  }
  return out.map(({ requests: of, ...rest }) =>
    of === undefined || of.length === requests.length ? rest : { ...rest, requests: of },
  );
}

/** undefined = all of them. */
function nodesOf(chosen: readonly Chosen[]): coreV1.NodeSelector | undefined {
  const fields: coreV1.NodeSelectorRequirement[] = [];
  const expressions: coreV1.NodeSelectorRequirement[] = [];
  for (const { offered } of chosen) {
    const { nodeName, nodeSelector } =
      offered.slice.spec.perDeviceNodeSelection === true ? offered.device : offered.slice.spec;
    if (nodeName) {
      const matchFields = [{ key: 'metadata.name', operator: 'In', values: [nodeName] }];
      return { nodeSelectorTerms: [{ matchFields }] };
    }
    const [term] = nodeSelector?.nodeSelectorTerms ?? [];
    addMissing(fields, term?.matchFields);
    addMissing(expressions, term?.matchExpressions);
  }
  if (fields.length + expressions.length === 0) return undefined;
  return {
    nodeSelectorTerms: [
      {
        ...(fields.length > 0 && { matchFields: fields }),
        ...(expressions.length > 0 && { matchExpressions: expressions }),
      },
    ],
  };
}

function addMissing(
  to: coreV1.NodeSelectorRequirement[],
  from: readonly coreV1.NodeSelectorRequirement[] = [],
): void {
  const same = (a: coreV1.NodeSelectorRequirement, b: coreV1.NodeSelectorRequirement): boolean => {
    const [left, right] = [new Set(a.values), new Set(b.values)];
    const equal = left.size === right.size && [...left].every((value) => right.has(value));
    return a.key === b.key && a.operator === b.operator && equal;
  };
  for (const one of from) if (!to.some((other) => same(one, other))) to.push(one);
}
