// What is in an image archive, read from its few small files while the rest streams by: an OCI layout (`index.json`) or what
// `docker save` writes (`manifest.json`). Whether its images have names decides whether containerd can store it as it is.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { CommandFailure } from '../../cli/index.ts';

const largestIndexBytes = 4 * 1024 * 1024;
const nameAnnotation = 'io.containerd.image.name';
const refAnnotation = 'org.opencontainers.image.ref.name';

export interface ArchiveFacts {
  /** index.json of an OCI layout */
  readonly index: unknown;
  /** manifest.json of docker */
  readonly manifest: unknown;
}

/** `as-is`: containerd finds names. `rename`: index.json must carry these names, one for each of its manifests. */
export type ArchivePlan =
  | { readonly kind: 'as-is'; readonly names: readonly string[] }
  | { readonly kind: 'rename'; readonly names: readonly string[]; readonly index: string };

interface Descriptor {
  digest?: string;
  annotations?: Record<string, string>;
  [field: string]: unknown;
}

/**
 * `as`: the name for an archive's only image. Throws a CommandFailure that says what is wrong, without the file's name. A short name is
 * completed as docker does it: `busybox:1.36` is `docker.io/library/busybox:1.36`.
 */
export function planArchive(facts: ArchiveFacts, as?: string): ArchivePlan {
  if (facts.index !== undefined) return planOciArchive(facts.index as { manifests?: Descriptor[] }, as);
  if (facts.manifest !== undefined)
    return planDockerArchive(facts.manifest as { RepoTags?: string[] | null }[], as);
  throw new CommandFailure(
    'not an image archive: it holds neither index.json (OCI) nor manifest.json (docker)',
  );
}

function planDockerArchive(
  manifest: readonly { RepoTags?: string[] | null }[],
  as: string | undefined,
): ArchivePlan {
  if (!Array.isArray(manifest)) throw new CommandFailure('its manifest.json is not that of an image archive');
  if (as !== undefined)
    throw new CommandFailure('--as is for OCI archives; this one was written by docker save');
  const names = manifest.flatMap((image) => image.RepoTags ?? []);
  if (names.length === 0)
    throw new CommandFailure('its image has no name; save it by name: docker save -o FILE NAME:TAG');
  return { kind: 'as-is', names: names.map(fullName) };
}

function planOciArchive(index: { manifests?: Descriptor[] }, as: string | undefined): ArchivePlan {
  const manifests = index.manifests;
  if (!Array.isArray(manifests) || manifests.length === 0)
    throw new CommandFailure('its index.json lists no image');
  if (as !== undefined && manifests.length > 1)
    throw new CommandFailure(`--as names one image, and this archive holds ${manifests.length}`);
  const given = manifests.map((descriptor) => descriptor.annotations?.[nameAnnotation]);
  if (as === undefined && given.every((name) => name !== undefined)) return { kind: 'as-is', names: given };
  const names = manifests.map((descriptor, at) => {
    const name = as ?? given[at] ?? descriptor.annotations?.[refAnnotation];
    // A tag alone (`latest`) names no image.
    if (name === undefined || !/[/:@]/.test(name))
      throw new CommandFailure('its image has no name in it; give one with --as NAME:TAG');
    return fullName(name);
  });
  const renamed = manifests.map((descriptor, at) => ({
    ...descriptor,
    annotations: { ...descriptor.annotations, [nameAnnotation]: names[at]! },
  }));
  return { kind: 'rename', names, index: JSON.stringify({ ...index, manifests: renamed }) };
}

/** The name under which container runtimes know an image. */
export function fullName(name: string): string {
  const slash = name.indexOf('/');
  const host = slash < 0 ? '' : name.slice(0, slash);
  const hasHost = host.includes('.') || host.includes(':') || host === 'localhost';
  const path = hasHost ? name : `docker.io/${slash < 0 ? 'library/' : ''}${name}`;
  const last = path.slice(path.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? path : `${path}:latest`;
}

/** Reads through the archive once. Throws a CommandFailure for what is no tar file, or one that ends too early. */
export async function readArchive(file: string): Promise<ArchiveFacts> {
  let index: unknown;
  let manifest: unknown;
  const reader = extract();
  const read = (async () => {
    for await (const entry of reader) {
      const name = entry.header.name.replace(/^\.\//, '');
      if (name === 'index.json') index = await readJson(entry, name);
      else if (name === 'manifest.json') manifest = await readJson(entry, name);
      else entry.resume();
    }
  })();
  try {
    await Promise.all([pipeline(await openArchive(file), reader), read]);
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(`not an image archive: ${(error as Error).message}`, { cause: error });
  }
  return { index, manifest };
}

/** Writes the archive anew with another index.json. */
export async function rewriteArchive(
  file: string,
  index: string,
  target: NodeJS.WritableStream,
): Promise<void> {
  const reader = extract();
  const writer = pack();
  const copy = (async () => {
    for await (const entry of reader) {
      if (entry.header.name.replace(/^\.\//, '') === 'index.json') {
        entry.resume();
        writer.entry({ name: 'index.json', mode: 0o644 }, index);
      } else await pipeline(entry, writer.entry(entry.header));
    }
    writer.finalize();
  })();
  await Promise.all([pipeline(await openArchive(file), reader), copy, pipeline(writer, target)]);
}

/** Whether it is compressed, which containerd's importer does not read. */
export async function isCompressed(file: string): Promise<boolean> {
  return (await readMagic(file)).readUInt16BE() === gzipMagic;
}

/** Writes the tar stream of a compressed archive. */
export async function unpackArchive(file: string, target: NodeJS.WritableStream): Promise<void> {
  await pipeline(await openArchive(file), target);
}

const gzipMagic = 0x1f8b;

async function readMagic(file: string): Promise<Buffer> {
  const magic = Buffer.alloc(4);
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandFailure(code === 'ENOENT' ? 'there is no such file' : message, { cause: error });
  }
  try {
    if (!(await handle.stat()).isFile()) throw new CommandFailure('not a file');
    await handle.read(magic, 0, 4, 0);
  } finally {
    await handle.close();
  }
  return magic;
}

/** The tar stream of a plain or compressed file. */
async function openArchive(file: string): Promise<Readable> {
  const magic = await readMagic(file);
  if (magic.readUInt32BE() === 0x28b52ffd)
    throw new CommandFailure(
      'it is compressed with zstd, which is not supported: unpack it with "zstd -d" first',
    );
  const source = createReadStream(file, { highWaterMark: 1 << 20 });
  if (magic.readUInt16BE() !== gzipMagic) return source;
  const unzipped = createGunzip();
  source.on('error', (error) => unzipped.destroy(error));
  return source.pipe(unzipped);
}

async function readJson(
  entry: AsyncIterable<unknown> & { header: { size: number } },
  name: string,
): Promise<unknown> {
  if (entry.header.size > largestIndexBytes) throw new CommandFailure(`its ${name} is too large`);
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new CommandFailure(`its ${name} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}
