// TaintNodesByCondition: a new node takes no pods until the node lifecycle controller has seen that it is ready.
import type { Node } from '../../api/index.ts';
import type { AdmissionPlugin } from './admission.ts';

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' } as const;

export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  mutate({ operation, kind, subresource, object }) {
    if (operation !== 'create' || kind.kind !== 'Node' || kind.group !== '' || subresource !== '') return;
    const { spec } = object as Node;
    const taints = spec.taints ?? [];
    if (!taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect))
      spec.taints = [...taints, { ...notReady }];
  },
};
