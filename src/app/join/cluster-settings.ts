// What a machine that joins cannot know: the ranges and names that the server was started with. Published as a ConfigMap that nodes and
// joining machines may read (as kubeadm's kubelet-config), kept by the node beside its certificates.
import { ConfigMap } from '../../api/index.ts';
import type { Log } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import { isNotFound } from '../../machinery/index.ts';

export interface ClusterSettings {
  /** One range, or one of each family with a comma between. */
  readonly clusterCidr: string;
  readonly clusterDomain: string;
  readonly clusterDns: readonly string[];
}

const at = { name: 'jotasu-cluster', namespace: 'kube-system' };

/** Called when the server serves. What cannot be written is logged: everything else goes on without. */
export async function publishClusterSettings(
  client: Client,
  settings: ClusterSettings,
  log: Log,
): Promise<void> {
  const { clusterCidr, clusterDomain, clusterDns } = settings;
  const data = { clusterCidr, clusterDomain, clusterDns: clusterDns.join(',') };
  const maps = client(ConfigMap);
  try {
    const found = await maps.get(at.name, at.namespace).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    if (found === undefined) await maps.create({ metadata: at, data });
    else if (
      JSON.stringify(Object.entries(found.data ?? {}).sort()) !== JSON.stringify(Object.entries(data).sort())
    )
      await maps.update({ ...found, data });
  } catch (error) {
    log.warn('the settings for machines that join could not be written', { error });
  }
}

/** undefined = the server tells nothing, as one of another make. */
export async function fetchClusterSettings(client: Client): Promise<ClusterSettings | undefined> {
  const found = await client(ConfigMap)
    .get(at.name, at.namespace)
    .catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  return found === undefined ? undefined : readSettings(found.data ?? {});
}

export function readSettings(data: Readonly<Record<string, unknown>>): ClusterSettings | undefined {
  const { clusterCidr, clusterDomain, clusterDns } = data;
  if (typeof clusterCidr !== 'string' || typeof clusterDomain !== 'string') return undefined;
  const addresses = typeof clusterDns === 'string' ? clusterDns.split(',') : [];
  return {
    clusterCidr,
    clusterDomain,
    clusterDns: addresses.filter((address) => address !== ''),
  };
}
