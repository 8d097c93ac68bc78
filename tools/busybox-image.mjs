// Makes a docker archive with docker.io/library/busybox:1.35 and :1.36 from this machine's static busybox, for machines that
// reach no registry: node tools/busybox-image.mjs OUT.tar [NAME…]. The images differ in one label, so that changing from one
// to the other is a change.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import * as tar from 'tar-stream';

const [out, ...given] = process.argv.slice(2);
if (out === undefined) {
  console.error('usage: node tools/busybox-image.mjs OUT.tar [NAME:TAG…]');
  process.exit(2);
}
const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file));
if (busybox === undefined) {
  console.error('there is no /bin/busybox here: apt-get install busybox-static');
  process.exit(1);
}
const names = given.length > 0 ? given : ['docker.io/library/busybox:1.35', 'docker.io/library/busybox:1.36'];
const architectures = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const epoch = new Date(0);

async function bytesOf(pack) {
  const chunks = [];
  for await (const chunk of pack) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const applets = execFileSync(busybox, ['--list-full'], { encoding: 'utf8' }).trim().split('\n');
const layerPack = tar.pack();
const layerBytes = bytesOf(layerPack);
for (const dir of ['bin/', 'sbin/', 'usr/', 'usr/bin/', 'usr/sbin/', 'etc/', 'root/', 'var/', 'home/'])
  layerPack.entry({ name: dir, type: 'directory', mode: 0o755, mtime: epoch });
layerPack.entry({ name: 'tmp/', type: 'directory', mode: 0o1777, mtime: epoch });
layerPack.entry({ name: 'bin/busybox', mode: 0o755, mtime: epoch }, readFileSync(busybox));
for (const applet of applets)
  if (applet !== 'bin/busybox' && /^(usr\/)?s?bin\//.test(applet))
    layerPack.entry({ name: applet, type: 'symlink', linkname: '/bin/busybox', mtime: epoch });
layerPack.entry(
  { name: 'etc/passwd', mode: 0o644, mtime: epoch },
  'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
);
layerPack.entry({ name: 'etc/group', mode: 0o644, mtime: epoch }, 'root:x:0:\nnobody:x:65534:\n');
layerPack.finalize();
const layer = await layerBytes;

const archive = tar.pack();
const written = pipeline(archive, createWriteStream(out));
const manifest = [];
archive.entry({ name: 'layer.tar', mode: 0o644, mtime: epoch }, layer);
for (const name of names) {
  const config = Buffer.from(
    JSON.stringify({
      architecture: architectures[process.arch] ?? process.arch,
      os: 'linux',
      config: {
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        Cmd: ['sh'],
        Labels: { name },
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const file = `${sha256(config)}.json`;
  archive.entry({ name: file, mode: 0o644, mtime: epoch }, config);
  manifest.push({ Config: file, RepoTags: [name], Layers: ['layer.tar'] });
}
archive.entry({ name: 'manifest.json', mode: 0o644, mtime: epoch }, JSON.stringify(manifest));
archive.finalize();
await written;
console.log(`${out}: ${names.join(', ')}`);
