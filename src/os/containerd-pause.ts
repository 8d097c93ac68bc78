// The image of the process that holds a pod's namespaces, made here from a static program of this machine, so that the first
// pod needs no registry. A docker archive, which `ctr images import` reads.
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as tar from 'tar-stream';
import { findProgram } from './packages.ts';

export const localPauseImage = 'localhost/jotasu-pause:1';
/** When no static program for it is installed. */
export const registryPauseImage = 'registry.k8s.io/pause:3.10';

export interface PauseProgram {
  readonly path: string;
  /** Arguments after the program's own name. */
  readonly args: readonly string[];
}

/** A static program that waits and, better, reaps orphans: catatonit, or a static busybox. */
export function findPauseProgram(searchPath: string): PauseProgram | undefined {
  const catatonit = findProgram('catatonit', searchPath);
  if (catatonit !== undefined && isStatic(catatonit)) return { path: catatonit, args: ['-P'] };
  const busybox = findProgram('busybox', searchPath);
  if (busybox !== undefined && isStatic(busybox)) {
    // As init, a shell reaps what is orphaned while it waits.
    const script = 'trap "exit 0" TERM INT; while :; do sleep 2147483647 & wait $!; done';
    return { path: busybox, args: ['sh', '-c', script] };
  }
  return undefined;
}

/** No program interpreter in its ELF header: it runs without a file of the machine beside it. */
export function isStatic(file: string): boolean {
  const header = Buffer.alloc(64);
  const fd = fs.openSync(file, 'r');
  try {
    if (fs.readSync(fd, header, 0, 64, 0) < 64 || header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2)
      return false;
    const offset = Number(header.readBigUInt64LE(32));
    const size = header.readUInt16LE(54);
    const count = header.readUInt16LE(56);
    const program = Buffer.alloc(size * count);
    fs.readSync(fd, program, 0, program.length, offset);
    const interpreter = 3;
    for (let i = 0; i < count; i++) if (program.readUInt32LE(i * size) === interpreter) return false;
    return true;
  } finally {
    fs.closeSync(fd);
  }
}

const goArchitectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
};
/** The machine's architecture by Go's (and so Kubernetes') name. */
export const goArch: string = goArchitectures[process.arch] ?? process.arch;

async function tarOf(files: readonly { name: string; body: Buffer; mode: number }[]): Promise<Buffer> {
  const pack = tar.pack();
  for (const file of files) pack.entry({ name: file.name, mode: file.mode, mtime: new Date(0) }, file.body);
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** The archive's bytes: one layer with the program as /pause. */
export async function pauseArchive(program: PauseProgram, name: string = localPauseImage): Promise<Buffer> {
  // busybox chooses what it does by the name it is called by.
  const file = program.path.endsWith('busybox') ? 'busybox' : 'pause';
  const layer = await tarOf([{ name: file, body: fs.readFileSync(program.path), mode: 0o755 }]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: goArch,
      os: 'linux',
      config: { Entrypoint: [`/${file}`, ...program.args], User: '65535:65535' },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const configName = `${sha256(config)}.json`;
  const manifest = [{ Config: configName, RepoTags: [name], Layers: ['layer.tar'] }];
  return tarOf([
    { name: 'manifest.json', body: Buffer.from(JSON.stringify(manifest)), mode: 0o644 },
    { name: configName, body: config, mode: 0o644 },
    { name: 'layer.tar', body: layer, mode: 0o644 },
  ]);
}
