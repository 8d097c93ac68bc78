// The names of the cluster: one question in, its answer out, from what the view shows at that moment. Pure. Kubernetes' DNS-based
// service discovery, schema 1.1; where that leaves room, as CoreDNS answers. HOT: bench/dns.ts.
import type { EndpointSlice, Service } from '../api/index.ts';
import { addressKey, endpointsOf, isHeadless, type NamedPort } from './endpoints.ts';
import { type Question, type ResourceRecord, rcode, type } from './message.ts';
import type { Answer } from './message-writer.ts';
import { addressBytes, Domain, labelsToWire, nameOf, reverseAddress, type WireName } from './name.ts';
import { obsoleteAny, record, text, ttlSeconds, wire } from './records.ts';
import { Headless, type ServiceParts, WithAddress } from './service-parts.ts';

/** What the cluster looks like now. All from memory. */
export interface ClusterView {
  service(namespace: string, name: string): Service | undefined;
  hasServices(namespace: string): boolean;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  /** By `addressKey`. */
  servicesByAddress(key: string): readonly Service[];
  slicesByAddress(key: string): readonly EndpointSlice[];
  /** Grows with changes. */
  readonly serial: number;
}

export interface ZoneOptions {
  /** `cluster.local` */
  readonly domain: string;
  readonly view: ClusterView;
  /** Where the cluster's DNS answers, for its own name. */
  readonly addresses: readonly string[];
  /** Of pods and services: nobody else knows names for addresses in them. */
  readonly ranges: readonly AddressBlock[];
}

export interface AddressBlock {
  readonly bytes: Buffer;
  readonly prefixLength: number;
}

export interface ZoneAnswer extends Answer {
  /** The name the last CNAME leads to: whoever asks wants that one's records too. */
  readonly target?: WireName | undefined;
}

const schemaVersion = '1.1.0';
const protocols = new Set(['_tcp', '_udp', '_sctp']);

const noRecords: readonly ResourceRecord[] = [];
/** A name that is not there, and one that is there without records of this type. */
const nxDomain = Symbol('NXDOMAIN');
const noData = Symbol('NODATA');
type Found = readonly ResourceRecord[] | typeof nxDomain | typeof noData;

export class ClusterZone {
  readonly #options: ZoneOptions;
  readonly #domain: Domain;
  readonly #dns: readonly Buffer[];
  #soaSerial = -1;
  #soaData: Buffer = Buffer.alloc(0);

  constructor(options: ZoneOptions) {
    this.#options = options;
    this.#domain = new Domain(options.domain);
    this.#dns = options.addresses.flatMap((address) => addressBytes(address) ?? []);
  }

  /** undefined: the name is none of ours. The class must be IN. */
  answer(question: Question, labels: readonly string[]): ZoneAnswer | undefined {
    const below = this.#domain.below(labels);
    if (below === undefined) return this.#reverse(question, labels);
    const extra: ResourceRecord[] = [];
    const found = this.#find(question, below, extra);
    if (typeof found === 'symbol') return this.#negative(found, this.#domain.name);
    if (question.type === type.ANY) return positive([obsoleteAny(question.name)]);
    const cname = found[0]?.type === type.CNAME ? found[0] : undefined;
    return {
      ...positive(found, extra),
      ...(cname !== undefined && question.type !== type.CNAME && { target: cname.data.toString('latin1') }),
    };
  }

  /** Whether `answer` could know the name, whatever the view shows. */
  mayOwn(labels: readonly string[]): boolean {
    return this.#domain.below(labels) !== undefined || reverseAddress(labels) !== undefined;
  }

  #find(question: Question, below: readonly string[], extra: ResourceRecord[]): Found {
    switch (below.at(-1)) {
      case undefined:
        return this.#apex(question);
      case 'svc':
        return this.#inServices(question, below.slice(0, -1), extra);
      case 'pod':
        return podRecords(question, below.slice(0, -1));
      case 'dns-version':
        if (below.length > 1) return nxDomain;
        return of(question, type.TXT, () => [record(question.name, type.TXT, text(schemaVersion))]);
      case 'dns':
        if (below.length === 1) return noData;
        return below.length === 2 && below[0] === 'ns' ? addresses(question, this.#dns) : nxDomain;
      default:
        return nxDomain;
    }
  }

  #apex(question: Question): Found {
    if (question.type === type.SOA) return [this.#soa(this.#domain.name)];
    return of(question, type.NS, () => [record(question.name, type.NS, wire(this.#name('ns', 'dns')))]);
  }

  /** `rest` is what is before `svc`: HOST or _PORT._PROTOCOL, service, namespace. */
  #inServices(question: Question, rest: readonly string[], extra: ResourceRecord[]): Found {
    const { view } = this.#options;
    const namespace = rest.at(-1);
    if (namespace === undefined) return noData;
    const name = rest.at(-2);
    if (name === undefined) return view.hasServices(namespace) ? noData : nxDomain;
    const service = view.service(namespace, name);
    if (service === undefined) return nxDomain;
    const before = rest.slice(0, -2);
    if (service.spec.type === 'ExternalName')
      return before.length > 0 ? nxDomain : external(question, service);
    const parts = isHeadless(service)
      ? new Headless(this.#slicesOf(service), (host) => this.#nameOfService(service, host))
      : new WithAddress(service, this.#nameOfService(service));
    if (before.length === 0) {
      if (!parts.exists()) return nxDomain;
      return question.type === type.SRV
        ? orNoData(parts.srv(question.name, () => true, extra))
        : addresses(question, parts.addresses());
    }
    const [first, second] = before as [string, string?];
    if (second === undefined)
      return protocols.has(first)
        ? this.#protocol(parts, first)
        : this.#endpoint(question, { service, host: first });
    if (before.length > 2 || !protocols.has(second) || !first.startsWith('_') || !parts.exists())
      return nxDomain;
    const is = (port: NamedPort) => port.label === first && port.protocol === second;
    if (!parts.ports().some(is)) return nxDomain;
    return of(question, type.SRV, () => parts.srv(question.name, is, extra));
  }

  /** `_tcp.SERVICE…` is there when something is below it. */
  #protocol(parts: ServiceParts, protocol: string): Found {
    const hasBelow =
      parts.exists() && parts.ports().some((port) => port.label !== '' && port.protocol === protocol);
    return hasBelow ? noData : nxDomain;
  }

  #endpoint(question: Question, { service, host }: { service: Service; host: string }): Found {
    const found = this.#slicesOf(service).flatMap((slice) => endpointsOf(slice).byHost.get(host) ?? []);
    return found.length === 0 ? nxDomain : addresses(question, found);
  }

  #slicesOf({ metadata }: Service): readonly EndpointSlice[] {
    return this.#options.view.slices(metadata.namespace ?? '', metadata.name);
  }

  #reverse(question: Question, labels: readonly string[]): ZoneAnswer | undefined {
    const bytes = reverseAddress(labels);
    if (bytes === undefined) return undefined;
    const names = this.#namesAt(bytes);
    if (names.length === 0) {
      if (!this.#options.ranges.some((range) => isWithin(bytes, range))) return undefined;
      return this.#negative(nxDomain, reverseRoot(bytes));
    }
    if (question.type === type.ANY) return positive([obsoleteAny(question.name)]);
    if (question.type !== type.PTR) return this.#negative(noData, reverseRoot(bytes));
    return positive(names.map((name) => record(question.name, type.PTR, wire(name))));
  }

  /** A service's own address comes before those of endpoints. */
  #namesAt(bytes: Buffer): readonly WireName[] {
    const { view } = this.#options;
    const key = addressKey(bytes);
    const [service] = view.servicesByAddress(key);
    if (service !== undefined) return [this.#nameOfService(service)];
    const names = new Set<WireName>();
    for (const slice of view.slicesByAddress(key)) {
      const { namespace = '', labels } = slice.metadata;
      const name = labels?.['kubernetes.io/service-name'];
      if (name === undefined || view.service(namespace, name) === undefined) continue;
      for (const { host, addresses: own } of endpointsOf(slice).ready)
        if (own.some((address) => address.equals(bytes))) names.add(this.#name(host, name, namespace, 'svc'));
    }
    return [...names];
  }

  #nameOfService({ metadata }: Service, ...before: string[]): WireName {
    return this.#name(...before, metadata.name, metadata.namespace ?? '', 'svc');
  }

  #name(...labels: string[]): WireName {
    return labelsToWire(labels) + this.#domain.name;
  }

  #negative(what: typeof nxDomain | typeof noData, zone: WireName): ZoneAnswer {
    return {
      rcode: what === nxDomain ? rcode.nxDomain : rcode.noError,
      authoritative: true,
      answers: noRecords,
      authorities: [this.#soa(zone)],
      additionals: noRecords,
    };
  }

  /** Denials are half of what is asked along search paths: written anew only when something has changed. */
  #soa(zone: WireName): ResourceRecord {
    const { serial } = this.#options.view;
    if (this.#soaSerial !== serial) {
      const names = this.#name('ns', 'dns') + this.#name('hostmaster');
      const numbers = Buffer.alloc(20);
      for (const [i, value] of [serial >>> 0, 7200, 1800, 86_400, ttlSeconds].entries())
        numbers.writeUInt32BE(value, 4 * i);
      this.#soaData = Buffer.concat([wire(names), numbers]);
      this.#soaSerial = serial;
    }
    return record(zone, type.SOA, this.#soaData);
  }
}

/** Whatever is asked for: the other name has it. One that reads like an address has no records at all. */
function external(question: Question, { spec }: Service): Found {
  const target = spec.externalName ?? '';
  if (target === '' || addressBytes(target) !== undefined) return nxDomain;
  return [record(question.name, type.CNAME, wire(nameOf(target)))];
}

/** `A-B-C-D.NAMESPACE.pod`: what the name says, whether there is such a pod or not. */
function podRecords(question: Question, rest: readonly string[]): Found {
  if (rest.length < 2) return noData;
  const [pod] = rest as [string];
  if (rest.length > 2) return nxDomain;
  const isV4 = /^\d+-\d+-\d+-\d+$/.test(pod);
  const bytes = addressBytes(pod.replaceAll('-', isV4 ? '.' : ':'));
  return bytes === undefined ? nxDomain : addresses(question, [bytes]);
}

function addresses({ name, type: wanted }: Question, all: readonly Buffer[]): Found {
  if (wanted === type.ANY) return [obsoleteAny(name)];
  const size = wanted === type.A ? 4 : wanted === type.AAAA ? 16 : 0;
  const records: ResourceRecord[] = [];
  for (const bytes of all) if (bytes.length === size) records.push(record(name, wanted, bytes));
  return records.length > 1 ? withoutDoubles(records) : orNoData(records);
}

function withoutDoubles(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  const seen = new Set<string>();
  return records.filter(({ data }) => {
    const key = addressKey(data);
    return !seen.has(key) && seen.add(key) !== undefined;
  });
}

const orNoData = (records: readonly ResourceRecord[]): Found => (records.length === 0 ? noData : records);

const of = (question: Question, rrType: number, make: () => readonly ResourceRecord[]): Found =>
  question.type === rrType || question.type === type.ANY ? make() : noData;

const positive = (answers: readonly ResourceRecord[], additionals = noRecords): ZoneAnswer => ({
  rcode: rcode.noError,
  authoritative: true,
  answers,
  authorities: noRecords,
  additionals,
});

const reverseV4 = nameOf('in-addr.arpa');
const reverseV6 = nameOf('ip6.arpa');
const reverseRoot = (bytes: Buffer): WireName => (bytes.length === 4 ? reverseV4 : reverseV6);

/** Throws RangeError on what is no range. */
export function parseBlock(cidr: string): AddressBlock {
  const [address = '', length = ''] = cidr.split('/');
  const bytes = addressBytes(address);
  const prefixLength = Number(length);
  if (bytes === undefined || length === '' || !(prefixLength >= 0 && prefixLength <= 8 * bytes.length))
    throw new RangeError(`not a range of addresses: ${cidr}`);
  return { bytes, prefixLength };
}

function isWithin(bytes: Buffer, { bytes: network, prefixLength }: AddressBlock): boolean {
  if (bytes.length !== network.length) return false;
  const whole = prefixLength >> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== network[i]) return false;
  const rest = prefixLength & 7;
  return rest === 0 || (bytes[whole]! ^ network[whole]!) >> (8 - rest) === 0;
}
