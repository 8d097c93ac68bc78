import { afterAll, beforeAll, describe } from 'vitest';
import { EtcdProcess, whyNoEtcd } from '../../testkit/index.ts';
import type { BackendOptions } from '../backend.ts';
import { backendContract } from '../contract.ts';
import { storeContract } from '../store-contract.ts';
import { openEtcdBackend } from './index.ts';

describe.skipIf(whyNoEtcd() !== undefined)('etcd', () => {
  let etcd: EtcdProcess;
  let places = 0;
  beforeAll(async () => {
    etcd = await EtcdProcess.start();
  });
  afterAll(() => etcd.remove());

  const place = () => {
    const prefix = `/place-${places++}`;
    return (options: BackendOptions) =>
      openEtcdBackend({
        ...options,
        endpoints: [etcd.url],
        prefix,
        tls: {},
        compactionIntervalMs: 0,
        startTimeoutMs: 60_000,
      });
  };
  backendContract('etcd', {
    make: () => ({ open: place(), survives: true }),
    remote: true,
    maxValueBytes: 1024 * 1024,
  });
  storeContract('etcd', (options) => place()(options), { remote: true });
});
