// What limit ranges make of pods and claims: amounts for those that say nothing, and complaints about those that say too little or too
// much. Pure, but for `giveDefaults`, which fills in a pod. Worded as Kubernetes words it.
import {
  amountsOf,
  type coreV1,
  type LimitRange,
  type PersistentVolumeClaim,
  type Pod,
  podLimitAmounts,
  podRequestAmounts,
  type QuotaAmounts,
} from '../../api/index.ts';
import {
  compareQuantity,
  formatQuantity,
  mustParseQuantity,
  type Quantity,
  toFloat,
} from '../../machinery/index.ts';

type Limit = coreV1.LimitRangeItem;
type Container = coreV1.Container;

const annotation = 'kubernetes.io/limit-ranger';

/** Mutates the pod: its containers get what they leave out, and an annotation says what they got. */
export function giveDefaults(pod: Pod, { spec }: LimitRange): void {
  const limits: Record<string, string> = {};
  const requests: Record<string, string> = {};
  for (const limit of spec?.limits ?? []) {
    if (limit.type !== 'Container') continue;
    Object.assign(limits, limit.default);
    Object.assign(requests, limit.defaultRequest);
  }
  const told = [
    ...pod.spec.containers.flatMap((container) => fillIn(container, 'container', { limits, requests })),
    ...(pod.spec.initContainers ?? []).flatMap((container) =>
      fillIn(container, 'init container', { limits, requests }),
    ),
  ];
  if (told.length === 0) return;
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [annotation]: `LimitRanger plugin set: ${told.join('; ')}`,
  };
}

function fillIn(
  container: Container,
  what: string,
  given: {
    readonly limits: Readonly<Record<string, string>>;
    readonly requests: Readonly<Record<string, string>>;
  },
): string[] {
  const told: string[] = [];
  for (const part of ['requests', 'limits'] as const) {
    const missing = Object.keys(given[part]).filter(
      (name) => container.resources?.[part]?.[name] === undefined,
    );
    if (missing.length === 0) continue;
    container.resources ??= {};
    const list: Record<string, string> = { ...container.resources[part] };
    for (const name of missing) list[name] = given[part][name]!;
    container.resources[part] = list;
    told.push(`${missing.sort().join(', ')} ${part.slice(0, -1)} for ${what} ${container.name}`);
  }
  return told;
}

/** Why the pod does not fit; none = it does. */
export function podComplaints(pod: Pod, { spec }: LimitRange): string[] {
  const out: string[] = [];
  for (const limit of spec?.limits ?? [])
    if (limit.type === 'Container')
      for (const { resources } of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])])
        complain(
          limit,
          { requests: amountsOf(resources?.requests), limits: amountsOf(resources?.limits) },
          out,
        );
    else if (limit.type === 'Pod')
      complain(limit, { requests: podRequestAmounts(pod), limits: podLimitAmounts(pod) }, out);
  return out;
}

/** Why the claim does not fit; none = it does. A claim has no limit of its own: what it requests counts. */
export function claimComplaints(claim: PersistentVolumeClaim, { spec }: LimitRange): string[] {
  const requests = amountsOf(claim.spec?.resources?.requests);
  const out: string[] = [];
  for (const limit of spec?.limits ?? []) {
    if (limit.type !== 'PersistentVolumeClaim') continue;
    for (const [name, least] of sorted(limit.min))
      add(out, tooLittle(limit.type, { name, least, request: requests.get(name), limit: undefined }));
    for (const [name, most] of sorted(limit.max)) {
      const request = requests.get(name);
      const rule = `maximum ${name} usage per ${limit.type} is ${most}`;
      if (request === undefined) out.push(`${rule}.  No request is specified`);
      else if (isMore(request, most)) out.push(`${rule}, but request is ${formatQuantity(request)}`);
    }
  }
  return out;
}

interface Amounts {
  readonly requests: QuotaAmounts;
  readonly limits: QuotaAmounts;
}

function complain(
  { type, min, max, maxLimitRequestRatio }: Limit,
  { requests, limits }: Amounts,
  out: string[],
): void {
  const of = (name: string) => ({ name, request: requests.get(name), limit: limits.get(name) });
  for (const [name, least] of sorted(min)) add(out, tooLittle(type, { ...of(name), least }));
  for (const [name, most] of sorted(max)) add(out, tooMuch(type, { ...of(name), most }));
  for (const [name, most] of sorted(maxLimitRequestRatio)) add(out, tooFar(type, { ...of(name), most }));
}

interface Said {
  readonly name: string;
  readonly request: Quantity | undefined;
  readonly limit: Quantity | undefined;
}

function tooLittle(
  type: string,
  { name, least, request, limit }: Said & { readonly least: string },
): string | undefined {
  const rule = `minimum ${name} usage per ${type} is ${least}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  if (isLess(request, least)) return `${rule}, but request is ${formatQuantity(request)}`;
  if (limit !== undefined && isLess(limit, least)) return `${rule}, but limit is ${formatQuantity(limit)}`;
  return undefined;
}

function tooMuch(
  type: string,
  { name, most, request, limit }: Said & { readonly most: string },
): string | undefined {
  const rule = `maximum ${name} usage per ${type} is ${most}`;
  if (limit === undefined) return `${rule}.  No limit is specified`;
  if (isMore(limit, most)) return `${rule}, but limit is ${formatQuantity(limit)}`;
  if (request !== undefined && isMore(request, most))
    return `${rule}, but request is ${formatQuantity(request)}`;
  return undefined;
}

function tooFar(
  type: string,
  { name, most, request, limit }: Said & { readonly most: string },
): string | undefined {
  const rule = `${name} max limit to request ratio per ${type} is ${most}`;
  if (request === undefined || request.unscaled === 0n)
    return `${rule}, but no request is specified or request is 0`;
  if (limit === undefined || limit.unscaled === 0n) return `${rule}, but no limit is specified or limit is 0`;
  const ratio = toFloat(limit) / toFloat(request);
  return ratio > toFloat(mustParseQuantity(most))
    ? `${rule}, but provided ratio is ${ratio.toFixed(6)}`
    : undefined;
}

const isLess = (amount: Quantity, bound: string): boolean =>
  compareQuantity(amount, mustParseQuantity(bound)) < 0;
const isMore = (amount: Quantity, bound: string): boolean =>
  compareQuantity(amount, mustParseQuantity(bound)) > 0;
const sorted = (list: Readonly<Record<string, string>> | undefined): [string, string][] =>
  Object.entries(list ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
const add = (out: string[], complaint: string | undefined): void => {
  if (complaint !== undefined) out.push(complaint);
};
