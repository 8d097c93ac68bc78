// kube-system/extension-apiserver-authentication: by which certificates other API servers and the parts of a node know clients of this
// cluster. Kept as it is, whatever becomes of it; further keys that somebody adds stay.
import { ConfigMap } from '../api/index.ts';
import type { Client } from '../client/index.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../machinery/index.ts';

const at = { name: 'extension-apiserver-authentication', namespace: 'kube-system' };
const caKey = 'client-ca-file';

/** `clientCa` is PEM. Another server that does the same meanwhile has the same authority: whoever comes first has done it. */
export async function keepClientAuthentication(client: Client, clientCa: string): Promise<void> {
  try {
    await settle(client, clientCa);
  } catch (error) {
    if (!isAlreadyExists(error) && !isConflict(error)) throw error;
  }
}

async function settle(client: Client, clientCa: string): Promise<void> {
  let found: ConfigMap;
  try {
    found = await client(ConfigMap).get(at.name, at.namespace);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client(ConfigMap).create({ metadata: at, data: { [caKey]: clientCa } });
    return;
  }
  if (found.data?.[caKey] === clientCa) return;
  await client(ConfigMap).update({ ...found, data: { ...found.data, [caKey]: clientCa } });
}
