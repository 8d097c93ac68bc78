// Records of our own: class IN, one time to live.
import { classIn, type ResourceRecord, type } from './message.ts';
import type { WireName } from './name.ts';

/** CoreDNS' own default. Nothing is won by more: the answers come from memory. */
export const ttlSeconds = 5;

export const record = (name: WireName, rrType: number, data: Buffer): ResourceRecord => ({
  name,
  type: rrType,
  class: classIn,
  ttl: ttlSeconds,
  data,
});

export const addressRecord = (name: WireName, bytes: Buffer): ResourceRecord =>
  record(name, bytes.length === 4 ? type.A : type.AAAA, bytes);

/** All of one priority, with the same share each. */
export function srvRecord(
  name: WireName,
  { port, target, of: count }: { port: number; target: WireName; of: number },
): ResourceRecord {
  const data = Buffer.alloc(6 + target.length);
  data.writeUInt16BE(Math.max(1, Math.floor(100 / count)), 2);
  data.writeUInt16BE(port, 4);
  data.write(target, 6, 'latin1');
  return record(name, type.SRV, data);
}

export const wire = (name: string): Buffer => Buffer.from(name, 'latin1');
export const text = (value: string): Buffer =>
  Buffer.from(`${String.fromCharCode(value.length)}${value}`, 'latin1');

/** Who asks for everything gets next to nothing (RFC 8482). */
export const obsoleteAny = (name: WireName): ResourceRecord =>
  record(name, type.HINFO, Buffer.concat([text('RFC8482'), text('')]));
