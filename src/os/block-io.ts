// What a control group reads from and writes to disks, of both versions, and what those disks are called. Parsing is pure. Only what
// reaches a disk is counted by the kernel: what the page cache answers, or still holds, is not.
import { readFileSync } from 'node:fs';

/** One disk's, since the group was made. */
export interface BlockIo {
  /** The kernel's `MAJOR:MINOR`. */
  readonly device: string;
  readonly reads: number;
  readonly writes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

const deviceId = /^\d+:\d+$/;

/** `io.stat`: a line for each disk that the group has used. undefined = there is no such file. */
export function parseIoStat(text: string | undefined): BlockIo[] | undefined {
  return text?.split('\n').flatMap((line) => {
    const [device = '', ...pairs] = line.split(' ');
    const values = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
    const of = (key: string): number => Number(values.get(key) ?? 0);
    // A disk may be listed before anything was done with it.
    if (!deviceId.test(device) || !values.has('rbytes')) return [];
    return [
      {
        device,
        reads: of('rios'),
        writes: of('wios'),
        readBytes: of('rbytes'),
        writtenBytes: of('wbytes'),
      },
    ];
  });
}

/** Version 1 has a file for the bytes and one for how often; each with a line `DEVICE Read|Write|… NUMBER`. */
export function parseBlkio(bytes: string | undefined, times: string | undefined): BlockIo[] | undefined {
  if (bytes === undefined || times === undefined) return undefined;
  const [sizes, counts] = [operations(bytes), operations(times)];
  return [...sizes].map(([device, size]) => ({
    device,
    reads: counts.get(device)?.['Read'] ?? 0,
    writes: counts.get(device)?.['Write'] ?? 0,
    readBytes: size['Read'] ?? 0,
    writtenBytes: size['Write'] ?? 0,
  }));
}

/** By device, how much of which operation. */
function operations(text: string): Map<string, Record<string, number>> {
  const found = new Map<string, Record<string, number>>();
  for (const line of text.split('\n')) {
    const [device = '', operation, value] = line.split(' ');
    if (!deviceId.test(device) || operation === undefined) continue;
    const of = found.get(device) ?? {};
    of[operation] = Number(value);
    found.set(device, of);
  }
  return found;
}

/** `/dev/vda` for `254:0`; '' = this machine has no such disk, as with file systems that are none. */
export type DeviceNames = (device: string) => string;

/** Asks the kernel, each time: a number may be given to another disk. */
export const deviceNames: DeviceNames = (device) => {
  try {
    return deviceNameOf(readFileSync(`/sys/dev/block/${device}/uevent`, 'latin1'));
  } catch {
    return '';
  }
};

export function deviceNameOf(uevent: string): string {
  const name = /^DEVNAME=(.+)$/m.exec(uevent)?.[1];
  return name === undefined ? '' : `/dev/${name}`;
}
