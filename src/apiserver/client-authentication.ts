// kube-system/extension-apiserver-authentication: by which certificates other API servers and the parts of a node know clients of this
// cluster. Kept as it is, whatever becomes of it; further keys that somebody adds stay.
import { ConfigMap } from '../api/index.ts';
import type { Client } from '../client/index.ts';
import { isNotFound } from '../machinery/index.ts';

const at = { name: 'extension-apiserver-authentication', namespace: 'kube-system' };
const caKey = 'client-ca-file';

/** `clientCa` is PEM. */
export async function keepClientAuthentication(client: Client, clientCa: string): Promise<void> {
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
