import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  fullName,
  isCompressed,
  planArchive,
  readArchive,
  rewriteArchive,
  unpackArchive,
} from './image-archive.ts';

const oci = (...annotations: (Record<string, string> | undefined)[]) => ({
  manifest: undefined,
  index: {
    schemaVersion: 2,
    manifests: annotations.map((given, at) => ({
      digest: `sha256:${at}`,
      ...(given !== undefined && { annotations: given }),
    })),
  },
});
const docker = (...tags: (string[] | null)[]) => ({
  index: undefined,
  manifest: tags.map((RepoTags) => ({ RepoTags })),
});
const image = 'io.containerd.image.name';
const ref = 'org.opencontainers.image.ref.name';

describe('planArchive', () => {
  test.each<[string, Parameters<typeof planArchive>, readonly string[]]>([
    ['docker', [docker(['busybox:1.36', 'r.io/b:1'])], ['docker.io/library/busybox:1.36', 'r.io/b:1']],
    [
      'OCI as containerd writes it',
      [oci({ [image]: 'docker.io/library/a:1', [ref]: '1' })],
      ['docker.io/library/a:1'],
    ],
  ])('%s is loaded as it is', (_, args, names) => {
    expect(planArchive(...args)).toEqual({ kind: 'as-is', names });
  });

  test.each<[string, Parameters<typeof planArchive>, readonly string[]]>([
    ['a whole name in the ref', [oci({ [ref]: 'docker.io/library/a:1' })], ['docker.io/library/a:1']],
    [
      'a short name in the ref',
      [oci({ [ref]: 'a:1' }, { [ref]: 'me/b:2' })],
      ['docker.io/library/a:1', 'docker.io/me/b:2'],
    ],
    ['a name given', [oci({ [ref]: 'latest' }), 'localhost:5000/x'], ['localhost:5000/x:latest']],
    [
      'a name given over one inside',
      [oci({ [image]: 'docker.io/library/a:1' }), 'b:2'],
      ['docker.io/library/b:2'],
    ],
  ])('%s goes into the index', (_, args, names) => {
    const plan = planArchive(...args);
    expect(plan).toMatchObject({ kind: 'rename', names });
    const { manifests, ...rest } = JSON.parse(plan.kind === 'rename' ? plan.index : '') as {
      manifests: { digest: string; annotations: Record<string, string> }[];
    };
    expect(rest).toEqual({ schemaVersion: 2 });
    expect(manifests.map((m) => [m.digest, m.annotations[image]])).toEqual(
      names.map((name, at) => [`sha256:${at}`, name]),
    );
  });

  test.each<[string, Parameters<typeof planArchive>, RegExp]>([
    [
      'no index at all',
      [{ index: undefined, manifest: undefined }],
      /not an image archive: it holds neither/,
    ],
    ['an odd manifest', [{ index: undefined, manifest: {} as never }], /its manifest.json is not/],
    ['docker without a name', [docker(null)], /its image has no name; save it by name/],
    ['--as for docker', [docker(['a:1']), 'b:1'], /--as is for OCI archives/],
    ['OCI without an image', [oci()], /lists no image/],
    ['OCI without a name', [oci(undefined)], /give one with --as/],
    ['OCI with a tag only', [oci({ [ref]: '1.36' })], /give one with --as/],
    [
      'one name for two',
      [oci(undefined, undefined), 'a:1'],
      /--as names one image, and this archive holds 2/,
    ],
  ])('%s is refused', (_, args, message) => {
    expect(() => planArchive(...args)).toThrow(message);
  });
});

test.each([
  ['busybox', 'docker.io/library/busybox:latest'],
  ['busybox:1', 'docker.io/library/busybox:1'],
  ['me/app', 'docker.io/me/app:latest'],
  ['docker.io/library/busybox:1.36', 'docker.io/library/busybox:1.36'],
  ['localhost/a:1', 'localhost/a:1'],
  ['localhost:5000/a', 'localhost:5000/a:latest'],
  ['r.io/a@sha256:0', 'r.io/a@sha256:0'],
])('fullName(%s) is %s', (name, full) => {
  expect(fullName(name)).toBe(full);
});

describe('files', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'jotasu-archive-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** An archive with a layer larger than a stream's buffer. */
  async function write(name: string, index: unknown): Promise<string> {
    const file = join(directory, name);
    const tar = pack();
    tar.entry({ name: 'oci-layout' }, '{}');
    tar.entry({ name: 'blobs/sha256/layer' }, Buffer.alloc(3_000_000, 7));
    tar.entry({ name: './index.json' }, JSON.stringify(index));
    tar.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    writeFileSync(file, name.endsWith('gz') ? gzipSync(bytes) : bytes);
    return file;
  }

  test('plain and gzip are read; rewriting changes the index alone', async () => {
    const index = { manifests: [{ annotations: { [ref]: 'a:1' } }] };
    for (const name of ['a.tar', 'a.tar.gz']) {
      const file = await write(name, index);
      expect(await readArchive(file)).toEqual({ index, manifest: undefined });
      const target = join(directory, 'out.tar');
      await rewriteArchive(file, '{"manifests":[]}', createWriteStream(target));
      expect(await readArchive(target)).toEqual({ index: { manifests: [] }, manifest: undefined });
      const layer = execFileSync('tar', ['-xOf', target, 'blobs/sha256/layer'], { maxBuffer: 1e7 });
      expect(layer.equals(Buffer.alloc(3_000_000, 7))).toBe(true);
    }
  });

  test('what is compressed is known, and unpacked to what it was', async () => {
    const plain = await write('plain.tar', { manifests: [] });
    const packed = join(directory, 'packed.tgz');
    writeFileSync(packed, gzipSync(readFileSync(plain)));
    expect([await isCompressed(plain), await isCompressed(packed)]).toEqual([false, true]);
    const target = join(directory, 'unpacked.tar');
    await unpackArchive(packed, createWriteStream(target));
    expect(readFileSync(target).equals(readFileSync(plain))).toBe(true);
  });

  test.each<[string, (file: string) => void | Promise<void>, RegExp]>([
    ['there is none', () => {}, /^there is no such file$/],
    ['text', (file) => writeFileSync(file, 'hello'.repeat(500)), /^not an image archive: /],
    ['empty', (file) => writeFileSync(file, ''), /^not an image archive|index/],
    ['zstd', (file) => writeFileSync(file, Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0])), /compressed with zstd/],
    [
      'cut off',
      async (file) => writeFileSync(file, readFileSync(await write('whole.tar', {})).subarray(0, 1_000_000)),
      /^not an image archive: /,
    ],
    [
      'cut off, in gzip',
      async (file) => writeFileSync(file, readFileSync(await write('whole.tar.gz', {})).subarray(0, 1000)),
      /^not an image archive: /,
    ],
  ])('%s is refused', async (name, make, message) => {
    const file = join(directory, `bad-${name.replaceAll(/\W/g, '-')}`);
    await make(file);
    await expect(readArchive(file).then((facts) => planArchive(facts))).rejects.toThrow(message);
  });

  test('a directory is refused', async () => {
    await expect(readArchive(directory)).rejects.toThrow('not a file');
  });
});
