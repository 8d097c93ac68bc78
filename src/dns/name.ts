// Domain names. The choice: inside the program a name is its wire form as a string of single bytes, in lower case and without
// compression (`\x03web\x07default\x00`). So names compare, split and are written without escapes. HOT: bench/dns.ts.
import { isIP } from 'node:net';

/** Each label with its length before it, ending with a zero byte; letters A to Z are in lower case. */
export type WireName = string;

export const rootName: WireName = '\0';
export const maxNameBytes = 255;
const maxLabelBytes = 63;

const beyondAscii = /[\x80-\xff]/;

/** DNS knows two cases for A to Z alone. Length bytes are below 64, so they stay as they are. */
export function lowerCase(wire: string): WireName {
  if (!beyondAscii.test(wire)) return wire.toLowerCase();
  return wire.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** From text such as `web.default.svc.cluster.local`, with or without the last dot. No escapes. Throws RangeError. */
export function nameOf(text: string): WireName {
  const plain = text.endsWith('.') ? text.slice(0, -1) : text;
  return plain === '' ? rootName : `${labelsToWire(plain.split('.'))}\0`;
}

/** Labels before something that is a name already. Throws RangeError on a label that is none. */
export function labelsToWire(labels: readonly string[]): string {
  let wire = '';
  for (const label of labels) {
    if (label.length === 0 || label.length > maxLabelBytes)
      throw new RangeError(`not a label of a domain name: ${JSON.stringify(label)}`);
    wire += String.fromCharCode(label.length) + label;
  }
  if (wire.length >= maxNameBytes) throw new RangeError(`too long for a domain name: ${labels.join('.')}`);
  return lowerCase(wire);
}

/** First label first; none of the root. The name must be well-formed, as everything that was read is. */
export function labelsOf(name: WireName): string[] {
  const labels: string[] = [];
  for (let at = 0; ; ) {
    const length = name.charCodeAt(at);
    if (length === 0) return labels;
    labels.push(name.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
}

/** As people write it, for logs: with a last dot, and whatever could be misread as three digits. */
export function textOf(name: WireName): string {
  const labels = labelsOf(name).map((label) =>
    label.replace(/[^\w*+/:-]/g, (byte) => `\\${String(byte.charCodeAt(0)).padStart(3, '0')}`),
  );
  return `${labels.join('.')}.`;
}

/** A domain: what is below it is told apart by whole labels. */
export class Domain {
  readonly name: WireName;
  readonly labels: readonly string[];

  constructor(text: string) {
    this.name = nameOf(text);
    this.labels = labelsOf(this.name);
  }

  /** The labels of `name` before this domain; undefined when it is not below it. */
  below(labels: readonly string[]): string[] | undefined {
    const extra = labels.length - this.labels.length;
    if (extra < 0) return undefined;
    for (let i = this.labels.length - 1; i >= 0; i--)
      if (labels[extra + i] !== this.labels[i]) return undefined;
    return labels.slice(0, extra);
  }
}

/** Four or sixteen bytes; undefined for what is no address. */
export function addressBytes(address: string): Buffer | undefined {
  const family = isIP(address);
  if (family === 4) return Buffer.from(address.split('.').map(Number));
  if (family !== 6) return undefined;
  let text = address.split('%')[0]!;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number];
    text = `${dotted[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head, tail] = text.split('::') as [string, string?];
  const groups = (part: string | undefined) => (part ? part.split(':') : []);
  const front = groups(head);
  const back = groups(tail);
  const bytes = Buffer.alloc(16);
  const put = (list: string[], from: number) => {
    for (const [i, group] of list.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), from + 2 * i);
  };
  put(front, 0);
  put(back, 16 - 2 * back.length);
  return bytes;
}

const reverseV4 = new Domain('in-addr.arpa');
const reverseV6 = new Domain('ip6.arpa');

/** The address that a whole name below in-addr.arpa or ip6.arpa stands for, in bytes; undefined for any other name. */
export function reverseAddress(labels: readonly string[]): Buffer | undefined {
  if (labels.at(-1) !== 'arpa') return undefined;
  const v4 = reverseV4.below(labels);
  if (v4 !== undefined) {
    if (v4.length !== 4 || !v4.every((label) => /^(0|[1-9]\d{0,2})$/.test(label) && Number(label) < 256))
      return undefined;
    return Buffer.from(v4.reverse().map(Number));
  }
  const v6 = reverseV6.below(labels);
  if (v6 === undefined || v6.length !== 32 || !v6.every((label) => /^[0-9a-f]$/.test(label)))
    return undefined;
  return Buffer.from(v6.reverse().join(''), 'hex');
}
