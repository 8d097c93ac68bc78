// Kubernetes' library of addresses: ip() and cidr() and what can be asked of them.
import type { Environment } from '@marcbachmann/cel-js';
import {
  type IpFamily,
  type ParsedCidr,
  type ParsedIp,
  parseCidr,
  parseIp,
} from '../validation/addresses.ts';

class CelIp {
  readonly parsed: ParsedIp;
  constructor(parsed: ParsedIp) {
    this.parsed = parsed;
  }
}

class CelCidr {
  readonly parsed: ParsedCidr;
  constructor(parsed: ParsedCidr) {
    this.parsed = parsed;
  }
}

/** Stands before `.isCanonical` in `ip.isCanonical(text)`. */
class IpNamespace {}

/** No zones, no addresses of one family in the clothes of the other, no leading zeros. */
function strictIp(text: string): ParsedIp | undefined {
  if (text.includes('%') || (text.includes(':') && text.includes('.'))) return undefined;
  if (/(^|\.)0\d/.test(text) && !text.includes(':')) return undefined;
  return parseIp(text);
}

function strictCidr(text: string): ParsedCidr | undefined {
  const [address = '', length = ''] = text.split('/');
  if (strictIp(address) === undefined || /^0\d/.test(length)) return undefined;
  return parseCidr(text);
}

function toIp(text: string): CelIp {
  const parsed = strictIp(text);
  if (parsed === undefined)
    throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
  return new CelIp(parsed);
}

function toCidr(text: string): CelCidr {
  const parsed = strictCidr(text);
  if (parsed === undefined)
    throw new Error(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
  return new CelCidr(parsed);
}

const ipOf = (given: CelIp | string): ParsedIp => (typeof given === 'string' ? toIp(given) : given).parsed;
const cidrOf = (given: CelCidr | string): ParsedCidr =>
  (typeof given === 'string' ? toCidr(given) : given).parsed;

const numberOf = (family: IpFamily): bigint => (family === 'IPv4' ? 4n : 6n);

/** Whether the first `length` bits are the same. */
function shares(a: ParsedIp, b: ParsedIp, length: number): boolean {
  if (a.family !== b.family) return false;
  return a.bytes.every((byte, i) => {
    const bits = Math.min(Math.max(length - i * 8, 0), 8);
    const mask = (0xff << (8 - bits)) & 0xff;
    return (byte & mask) === (b.bytes[i]! & mask);
  });
}

const first = ({ bytes }: ParsedIp, i = 0): number => bytes[i] ?? 0;
const isV4 = ({ family }: ParsedIp): boolean => family === 'IPv4';
const isUnspecified = ({ bytes }: ParsedIp): boolean => bytes.every((byte) => byte === 0);
const isLoopback = (ip: ParsedIp): boolean => (isV4(ip) ? first(ip) === 127 : ip.text === '::1');
const isLinkLocalMulticast = (ip: ParsedIp): boolean =>
  isV4(ip)
    ? first(ip) === 224 && first(ip, 1) === 0 && first(ip, 2) === 0
    : first(ip) === 0xff && (first(ip, 1) & 0x0f) === 2;
const isLinkLocalUnicast = (ip: ParsedIp): boolean =>
  isV4(ip) ? first(ip) === 169 && first(ip, 1) === 254 : first(ip) === 0xfe && (first(ip, 1) & 0xc0) === 0x80;
const isMulticast = (ip: ParsedIp): boolean => (isV4(ip) ? (first(ip) & 0xf0) === 0xe0 : first(ip) === 0xff);
const isGlobalUnicast = (ip: ParsedIp): boolean =>
  !isUnspecified(ip) &&
  !isLoopback(ip) &&
  !isMulticast(ip) &&
  !isLinkLocalUnicast(ip) &&
  !(isV4(ip) && ip.bytes.every((byte) => byte === 255));

const lengthOf = ({ bytes }: ParsedIp): number => bytes.length * 8;
const shownCidr = ({ text, prefixLength }: ParsedCidr): string => `${text}/${prefixLength}`;

// biome-ignore lint/suspicious/noExplicitAny: the signature beside it says what each takes
type Handler = (...args: any[]) => unknown;

const functions: Readonly<Record<string, Handler>> = {
  'isIP(string): bool': (text: string) => strictIp(text) !== undefined,
  'ip(string): IP': toIp,
  'IpNamespace.isCanonical(string): bool': (_: IpNamespace, text: string) => toIp(text).parsed.text === text,
  'string(IP): string': ({ parsed }: CelIp) => parsed.text,
  'IP.family(): int': ({ parsed }: CelIp) => numberOf(parsed.family),
  'IP.isUnspecified(): bool': ({ parsed }: CelIp) => isUnspecified(parsed),
  'IP.isLoopback(): bool': ({ parsed }: CelIp) => isLoopback(parsed),
  'IP.isLinkLocalMulticast(): bool': ({ parsed }: CelIp) => isLinkLocalMulticast(parsed),
  'IP.isLinkLocalUnicast(): bool': ({ parsed }: CelIp) => isLinkLocalUnicast(parsed),
  'IP.isGlobalUnicast(): bool': ({ parsed }: CelIp) => isGlobalUnicast(parsed),
  'isCIDR(string): bool': (text: string) => strictCidr(text) !== undefined,
  'cidr(string): CIDR': toCidr,
  'string(CIDR): string': ({ parsed }: CelCidr) => shownCidr(parsed),
  'CIDR.containsIP(dyn): bool': ({ parsed }: CelCidr, given: CelIp | string) =>
    shares(parsed, ipOf(given), parsed.prefixLength),
  'CIDR.containsCIDR(dyn): bool': ({ parsed }: CelCidr, given: CelCidr | string) => {
    const other = cidrOf(given);
    return parsed.prefixLength <= other.prefixLength && shares(parsed, other, parsed.prefixLength);
  },
  'CIDR.ip(): IP': ({ parsed: { family, bytes, text } }: CelCidr) => new CelIp({ family, bytes, text }),
  'CIDR.masked(): CIDR': ({ parsed }: CelCidr) => toCidr(parsed.network),
  'CIDR.prefixLength(): int': ({ parsed }: CelCidr) => BigInt(parsed.prefixLength),
};

export function addAddresses(environment: Environment): Environment {
  environment.registerType('IP', CelIp);
  environment.registerType('CIDR', CelCidr);
  environment.registerType('IpNamespace', IpNamespace);
  environment.registerConstant('ip', 'IpNamespace', new IpNamespace());
  for (const [signature, handler] of Object.entries(functions))
    environment.registerFunction(signature, handler, { async: false } as never);
  environment.registerOperator(
    'IP == IP',
    (a: CelIp, b: CelIp) => lengthOf(a.parsed) === lengthOf(b.parsed) && a.parsed.text === b.parsed.text,
  );
  environment.registerOperator(
    'CIDR == CIDR',
    (a: CelCidr, b: CelCidr) => shownCidr(a.parsed) === shownCidr(b.parsed),
  );
  return environment;
}
