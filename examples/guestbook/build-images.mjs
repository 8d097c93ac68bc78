// Makes the images of the guestbook from Debian's packages, for machines that reach no registry: node build-images.mjs OUT.tar
// One archive with two images that share nothing but their builder: guestbook-web:1 (busybox, the page and the API's script) and
// guestbook-store:1 (redis-server and the libraries it needs). Needs apt-get and dpkg-deb, no root and no tool for containers.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const [out] = process.argv.slice(2);
if (out === undefined) {
  console.error('usage: node build-images.mjs OUT.tar');
  process.exit(2);
}
const here = import.meta.dirname;
const work = mkdtempSync(join(tmpdir(), 'guestbook-'));
const architectures = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };
const run = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options });
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The files of packages, as one root directory. */
function unpack(name, packages) {
  const folder = join(work, `${name}-packages`);
  const root = join(work, `${name}-root`);
  for (const each of [folder, root]) mkdirSync(each);
  // Who downloads is another user than root when it can be.
  chmodSync(work, 0o755);
  chmodSync(folder, 0o777);
  run('apt-get', ['-q', 'download', ...packages], { cwd: folder });
  for (const file of readdirSync(folder)) run('dpkg-deb', ['-x', join(folder, file), root]);
  for (const each of ['usr/share/doc', 'usr/share/man', 'usr/share/locale'])
    rmSync(join(root, each), { recursive: true, force: true });
  mkdirSync(join(root, 'tmp'), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  );
  return root;
}

/** A package and the libraries it depends on, and theirs. */
function withLibraries(name) {
  const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'];
  const all = run('apt-cache', ['depends', '--recurse', ...kinds.map((kind) => `--no-${kind}`), name]);
  const libraries = all.split('\n').filter((line) => /^lib[a-z0-9+.-]+$/.test(line));
  return [name, ...new Set(libraries)];
}

function layerOf(root) {
  const file = `${root}.tar`;
  run('tar', [
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '-cf',
    file,
    '-C',
    root,
    '.',
  ]);
  return file;
}

const web = unpack('web', ['busybox-static']);
// Where programs lie differs between releases of Debian.
mkdirSync(join(web, 'bin'), { recursive: true });
const busybox = ['bin/busybox', 'usr/bin/busybox']
  .map((path) => join(web, path))
  .find((path) => {
    try {
      return readFileSync(path).length > 0;
    } catch {
      return false;
    }
  });
if (busybox !== join(web, 'bin/busybox')) renameSync(busybox, join(web, 'bin/busybox'));
for (const applet of run(join(web, 'bin/busybox'), ['--list']).trim().split('\n'))
  if (applet !== 'busybox') symlinkSync('busybox', join(web, 'bin', applet));
cpSync(join(here, 'web'), join(web, 'srv'), { recursive: true });
chmodSync(join(web, 'srv/api/cgi-bin/entries'), 0o755);

const store = unpack('store', withLibraries('redis-tools'));
// The server is the same program under another name.
symlinkSync('redis-check-rdb', join(store, 'usr/bin/redis-server'));

const images = [
  {
    name: 'docker.io/library/guestbook-web:1',
    layer: layerOf(web),
    user: '65534',
    cmd: ['httpd', '-f', '-p', '8080', '-h', '/srv/page'],
  },
  {
    name: 'docker.io/library/guestbook-store:1',
    layer: layerOf(store),
    user: '65534',
    cmd: ['redis-server', '--protected-mode', 'no', '--dir', '/tmp', '--save', ''],
  },
];
const archive = join(work, 'archive');
mkdirSync(archive);
const manifest = images.map(({ name, layer, user, cmd }) => {
  const bytes = readFileSync(layer);
  const digest = sha256(bytes);
  writeFileSync(join(archive, `${digest}.tar`), bytes);
  const config = JSON.stringify({
    architecture: architectures[process.arch] ?? process.arch,
    os: 'linux',
    config: { User: user, Cmd: cmd, Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  });
  writeFileSync(join(archive, `${sha256(config)}.json`), config);
  return { Config: `${sha256(config)}.json`, RepoTags: [name], Layers: [`${digest}.tar`] };
});
writeFileSync(join(archive, 'manifest.json'), JSON.stringify(manifest));
run('tar', ['-cf', resolve(out), '-C', archive, ...readdirSync(archive)]);
rmSync(work, { recursive: true, force: true });
console.log(`${out}: ${images.map(({ name }) => name).join(', ')}`);
