// One process per data directory. The owner listens on a Unix socket in it, under a name of its own, for as long as it lives: the
// kernel ends that with the process, however it dies, so `is the owner alive` is a connect, right across network and process
// namespaces. Who the owner is stands in the database and changes by compare and set, so two that start at once cannot both win.
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

/** The record of the owner. */
export interface OwnerRecord {
  readonly socket: string;
  readonly pid: number;
}

export interface OwnerRegister {
  read(): OwnerRecord | undefined;
  /** Atomic across processes: replaces `from`, and only that. */
  replace(from: OwnerRecord | undefined, to: OwnerRecord): boolean;
}

export interface DirectoryLock {
  release(): Promise<void>;
}

export class DirectoryInUse extends Error {
  constructor(directory: string, pid: number) {
    super(`the data directory ${directory} is in use by process ${pid}`);
    this.name = 'DirectoryInUse';
  }
}

/** The longest path that a Unix socket's address holds, less the terminating zero. */
const maxSocketPath = process.platform === 'linux' ? 107 : 103;

/** Throws DirectoryInUse when another process (or another part of this one) holds the directory. */
export async function lockDirectory(directory: string, register: OwnerRegister): Promise<DirectoryLock> {
  // A deep directory is reached through a descriptor, because a socket's address has no room for it.
  const handle = fs.openSync(directory, 'r');
  const socketPath = (name: string) => {
    const direct = path.join(directory, name);
    return Buffer.byteLength(direct) <= maxSocketPath ? direct : `/proc/self/fd/${handle}/${name}`;
  };
  const mine: OwnerRecord = { socket: `owner-${randomBytes(6).toString('hex')}.sock`, pid: process.pid };
  const server = net.createServer((connection) => connection.destroy());
  const release = async () => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    fs.closeSync(handle);
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath(mine.socket), resolve);
    });
    server.unref();
    for (;;) {
      const owner = register.read();
      if (owner !== undefined && (await answers(socketPath(owner.socket))))
        throw new DirectoryInUse(directory, owner.pid);
      if (!register.replace(owner, mine)) continue;
      if (owner !== undefined) fs.rmSync(path.join(directory, owner.socket), { force: true });
      return { release };
    }
  } catch (error) {
    await release();
    throw error;
  }
}

/** Whether somebody listens there. Anything but a clear no counts as yes. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(socketPath);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ENOENT' && error.code !== 'ECONNREFUSED');
    });
  });
}
