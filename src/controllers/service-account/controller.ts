// Every namespace has a default service account, and a config map with the CA by which its pods know the API server.
import { ConfigMap, Namespace, ServiceAccount } from '../../api/index.ts';
import { type Draft, isAlreadyExists, type KindDef, type KubeObject } from '../../machinery/index.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';
import { isNamespaceEnding } from '../pod-facts.ts';

const accountName = 'default';
const caName = 'kube-root-ca.crt';
const caKey = 'ca.crt';

const namespaceOf = (object: KubeObject): readonly string[] => [object.metadata.namespace!];

export function serviceAccountController(options: { rootCa: string }): Controller {
  return defineController({
    name: 'service-account',
    reconciles: Namespace,
    watches: [
      maps(ServiceAccount, (account) => (account.metadata.name === accountName ? namespaceOf(account) : [])),
      maps(ConfigMap, (map) => (map.metadata.name === caName ? namespaceOf(map) : []), {
        selection: { fieldSelector: `metadata.name=${caName}` },
      }),
    ],
    concurrency: 2,

    build({ lister, client }) {
      const namespaces = lister(Namespace);
      const accounts = lister(ServiceAccount);
      const authorities = lister(ConfigMap, { fieldSelector: `metadata.name=${caName}` });

      return async function reconcile(namespace) {
        const found = namespaces.get(namespace);
        if (found === undefined || found.metadata.deletionTimestamp !== undefined) return;
        if (accounts.get(`${namespace}/${accountName}`) === undefined) {
          await ensure(ServiceAccount, {
            metadata: { name: accountName, namespace },
          } as Draft<ServiceAccount>);
        }
        const authority = authorities.get(`${namespace}/${caName}`);
        if (authority === undefined) {
          const annotations = {
            'kubernetes.io/description':
              'The CA by which pods verify the API server at its internal addresses. No other use is guaranteed.',
          };
          await ensure(ConfigMap, {
            metadata: { name: caName, namespace, annotations },
            data: { [caKey]: options.rootCa },
          });
        } else if (authority.data?.[caKey] !== options.rootCa) {
          await client(ConfigMap).update({ ...authority, data: { [caKey]: options.rootCa } });
        }
      };

      async function ensure<T extends KubeObject>(kind: KindDef<T>, draft: Draft<T>): Promise<void> {
        try {
          await client(kind).create(draft);
        } catch (error) {
          // Somebody else made it, or the namespace is ending: both are fine.
          if (!isAlreadyExists(error) && !isNamespaceEnding(error)) throw error;
        }
      }
    },
  });
}
