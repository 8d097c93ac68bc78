// Which Kubernetes this is, in the form that clients parse.
import type { VersionInfo } from '../apiserver/index.ts';

export const programVersion = '0.1.0';

export const versionInfo: VersionInfo = {
  major: '1',
  minor: '35',
  gitVersion: `v1.35.0+jotasu${programVersion}`,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'go1.25',
  compiler: `node${process.versions.node}`,
  platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};
