// IP addresses and ranges as Kubernetes reads them: IPv4 parts may have leading zeros, zones are refused, and
// IPv4-mapped IPv6 counts as IPv4. What is read but not written in the usual form earns a warning.
import ipaddr from 'ipaddr.js';

const { IPv6 } = ipaddr;
export type IpFamily = 'IPv4' | 'IPv6';

/** An address in its family, mapped addresses already turned into IPv4. */
export interface ParsedIp {
  readonly family: IpFamily;
  readonly bytes: readonly number[];
  /** The usual form: dotted, or RFC 5952. */
  readonly text: string;
}

export interface ParsedCidr extends ParsedIp {
  readonly prefixLength: number;
  /** The range's first address with the length: `10.1.0.0/16`. */
  readonly network: string;
}

const ipv4Pattern = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const withoutZeros = (text: string): string => text.replace(/\b0+(?=\d)/g, '');

const make = (bytes: readonly number[]): ParsedIp => {
  const family: IpFamily = bytes.length === 4 ? 'IPv4' : 'IPv6';
  const text = family === 'IPv4' ? bytes.join('.') : new IPv6([...bytes]).toRFC5952String();
  return { family, bytes, text };
};

/** Sixteen bytes, also for mapped addresses; four for dotted ones. */
function rawBytes(text: string): number[] | undefined {
  if (ipv4Pattern.test(text)) {
    const bytes = text.split('.').map(Number);
    return bytes.every((b) => b <= 255) ? bytes : undefined;
  }
  if (!text.includes(':') || text.includes('%')) return undefined;
  const plain = text.includes('.')
    ? text.replace(/[\d.]+$/, (tail) => (ipv4Pattern.test(tail) ? withoutZeros(tail) : tail))
    : text;
  return IPv6.isValid(plain) ? IPv6.parse(plain).toByteArray() : undefined;
}

const isMapped = (bytes: readonly number[]): boolean =>
  bytes.length === 16 && bytes.slice(0, 10).every((b) => b === 0) && bytes[10] === 255 && bytes[11] === 255;

/** The address, or undefined when the text is none. */
export function parseIp(text: string): ParsedIp | undefined {
  const bytes = rawBytes(text);
  if (bytes === undefined) return undefined;
  return make(isMapped(bytes) ? bytes.slice(12) : bytes);
}

/** `address/length`, or undefined. The address may have bits set after the prefix. */
export function parseCidr(text: string): ParsedCidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const raw = rawBytes(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (raw === undefined || !/^\d{1,3}$/.test(lengthText)) return undefined;
  let prefixLength = Number(lengthText);
  if (prefixLength > raw.length * 8) return undefined;
  const mapped = isMapped(raw) && prefixLength >= 96;
  if (mapped) prefixLength -= 96;
  const address = make(mapped ? raw.slice(12) : raw);
  const first = address.bytes.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, prefixLength - i * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  return { ...address, prefixLength, network: `${make(first).text}/${prefixLength}` };
}

export const checkIp = (value: string): readonly string[] =>
  parseIp(value) === undefined ? ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'] : [];

export const checkIpv4 = (value: string): readonly string[] =>
  parseIp(value)?.family === 'IPv4' ? [] : ['must be a valid IPv4 address'];

export const checkIpv6 = (value: string): readonly string[] =>
  parseIp(value)?.family === 'IPv6' ? [] : ['must be a valid IPv6 address'];

export const checkCidr = (value: string): readonly string[] =>
  parseCidr(value) === undefined ? ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'] : [];

/** Addresses that never lead to an endpoint or an external host. */
export function checkNonSpecialIp(value: string): readonly string[] {
  const ip = parseIp(value);
  if (ip === undefined) return ['must be a valid IP address'];
  const out: string[] = [];
  const [first = 0, second = 0] = ip.bytes;
  const v6 = ip.family === 'IPv6';
  const loopback = v6 ? ip.text === '::1' : first === 127;
  const linkLocal = v6 ? first === 0xfe && (second & 0xc0) === 0x80 : first === 169 && second === 254;
  const linkLocalMulticast = v6
    ? first === 0xff && (second & 0x0f) === 0x02
    : first === 224 && second === 0 && ip.bytes[2] === 0;
  if (ip.bytes.every((b) => b === 0)) out.push(`may not be unspecified (${value})`);
  if (loopback) out.push('may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (linkLocal) out.push('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  if (linkLocalMulticast) out.push('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  return out;
}

const quoted = JSON.stringify;
const hasLeadingZero = (text: string): boolean =>
  /(?:^|[.:])0\d+\./.test(text) || /\.0\d+(?:$|\/)/.test(text);

/** Warnings for an address that `checkIp` accepts. */
export function warnIp(path: string, value: string): readonly string[] {
  const ip = parseIp(value);
  if (ip === undefined) return [];
  if (hasLeadingZero(value) || (ip.family === 'IPv4' && value.includes(':')))
    return [
      `${path}: non-standard IP address ${quoted(value)} will be considered invalid in a future Kubernetes release: use ${quoted(ip.text)}`,
    ];
  if (ip.family === 'IPv6' && ip.text !== value)
    return [
      `${path}: IPv6 address ${quoted(value)} should be in RFC 5952 canonical format (${quoted(ip.text)})`,
    ];
  return [];
}

/** Warnings for a range that `checkCidr` accepts. */
export function warnCidr(path: string, value: string): readonly string[] {
  const cidr = parseCidr(value);
  if (cidr === undefined) return [];
  const out: string[] = [];
  if (`${cidr.text}/${cidr.prefixLength}` !== cidr.network)
    out.push(
      `${path}: CIDR value ${quoted(value)} is ambiguous in this context (should be ${quoted(cidr.network)} or ${quoted(`${cidr.text}/${cidr.bytes.length * 8}`)}?)`,
    );
  if (hasLeadingZero(value) || (cidr.family === 'IPv4' && value.includes(':')))
    out.push(
      `${path}: non-standard CIDR value ${quoted(value)} will be considered invalid in a future Kubernetes release: use ${quoted(cidr.network)}`,
    );
  if (out.length === 0 && cidr.family === 'IPv6' && cidr.network !== value)
    out.push(
      `${path}: IPv6 CIDR value ${quoted(value)} should be in RFC 5952 canonical format (${quoted(cidr.network)})`,
    );
  return out;
}
