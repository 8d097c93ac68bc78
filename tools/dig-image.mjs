// Makes a docker archive with docker.io/library/dig:1 from Debian's dig and getent with the libraries that they name, and busybox, for
// machines that reach no registry: node tools/dig-image.mjs OUT.tar [NAME]. glibc's resolver, busybox's and dig in one place.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as tar from 'tar-stream';

const [out, name = 'docker.io/library/dig:1'] = process.argv.slice(2);
if (out === undefined) {
  console.error('usage: node tools/dig-image.mjs OUT.tar [NAME:TAG]');
  process.exit(2);
}
function need(files, hint) {
  const found = files.find((file) => existsSync(file));
  if (found !== undefined) return found;
  console.error(`there is no ${files[0]} here: ${hint}`);
  process.exit(1);
}
const busybox = need(['/bin/busybox', '/usr/bin/busybox'], 'apt-get install busybox-static');
const programs = [
  need(['/usr/bin/dig'], 'apt-get install bind9-dnsutils'),
  need(['/usr/bin/getent'], 'apt-get install libc-bin'),
];
const architectures = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const epoch = new Date(0);

async function bytesOf(pack) {
  const chunks = [];
  for await (const chunk of pack) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** As ldd tells them: `NAME => PATH (…)`, and the loader by its path alone. */
const libraries = new Set(
  programs.flatMap((program) =>
    [...execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)].map(
      (match) => match[1],
    ),
  ),
);

const layerPack = tar.pack();
const layerBytes = bytesOf(layerPack);
const directories = new Set(['etc', 'root', 'var']);
const files = new Map();
for (const file of [...programs, ...libraries]) files.set(file.slice(1), readFileSync(file));
files.set('bin/busybox', readFileSync(busybox));
files.set(
  'etc/passwd',
  Buffer.from('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n'),
);
files.set('etc/group', Buffer.from('root:x:0:\nnobody:x:65534:\n'));
files.set('etc/nsswitch.conf', Buffer.from('passwd: files\ngroup: files\nhosts: files dns\n'));
for (const file of [...files.keys(), 'sbin/x', 'usr/sbin/x'])
  for (let dir = dirname(file); dir !== '.'; dir = dirname(dir)) directories.add(dir);
for (const dir of [...directories].sort())
  layerPack.entry({ name: `${dir}/`, type: 'directory', mode: 0o755, mtime: epoch });
layerPack.entry({ name: 'tmp/', type: 'directory', mode: 0o1777, mtime: epoch });
for (const [file, bytes] of files)
  layerPack.entry({ name: file, mode: file.startsWith('etc/') ? 0o644 : 0o755, mtime: epoch }, bytes);
for (const applet of execFileSync(busybox, ['--list-full'], { encoding: 'utf8' }).trim().split('\n'))
  if (!files.has(applet) && /^(usr\/)?s?bin\//.test(applet))
    layerPack.entry({ name: applet, type: 'symlink', linkname: '/bin/busybox', mtime: epoch });
layerPack.finalize();
const layer = await layerBytes;

const config = Buffer.from(
  JSON.stringify({
    architecture: architectures[process.arch] ?? process.arch,
    os: 'linux',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
  }),
);
const archive = tar.pack();
const written = pipeline(archive, createWriteStream(out));
archive.entry({ name: 'layer.tar', mode: 0o644, mtime: epoch }, layer);
const file = `${sha256(config)}.json`;
archive.entry({ name: file, mode: 0o644, mtime: epoch }, config);
const manifest = [{ Config: file, RepoTags: [name], Layers: ['layer.tar'] }];
archive.entry({ name: 'manifest.json', mode: 0o644, mtime: epoch }, JSON.stringify(manifest));
archive.finalize();
await written;
console.log(`${out}: ${name}`);
