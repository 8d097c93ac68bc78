// NetworkPolicy: who may talk to the pods it selects, and to whom they may talk.
import {
  checkCidr,
  checkPortName,
  checkPortNumber,
  defineKind,
  FieldAt,
  parseCidr,
  validateLabelSelector,
  warnCidr,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, selectorText, textColumn } from '../../columns.ts';
import type {
  IPBlock,
  NetworkPolicy as NetworkPolicyObject,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from '../../generated/networking-v1.ts';
import { shape } from '../../shape.ts';

export type NetworkPolicy = NetworkPolicyObject;

const protocols = ['TCP', 'UDP', 'SCTP'];
const types = ['Ingress', 'Egress'];

interface Rule {
  readonly path: string;
  readonly ports: readonly NetworkPolicyPort[];
  readonly peersPath: string;
  readonly peers: readonly NetworkPolicyPeer[];
}

/** The rules of both directions, each with its place below the spec. */
function* rulesOf(spec: NetworkPolicySpec): Generator<Rule> {
  for (const [i, { from = [], ports = [] }] of (spec.ingress ?? []).entries())
    yield { path: `ingress[${i}]`, ports, peersPath: `ingress[${i}].from`, peers: from };
  for (const [i, { to = [], ports = [] }] of (spec.egress ?? []).entries())
    yield { path: `egress[${i}]`, ports, peersPath: `egress[${i}].to`, peers: to };
}

const cidrsOf = (spec: NetworkPolicySpec): ReadonlySet<string> =>
  new Set(
    [...rulesOf(spec)].flatMap(({ peers }) =>
      peers.flatMap(({ ipBlock }) =>
        ipBlock === undefined ? [] : [ipBlock.cidr, ...(ipBlock.except ?? [])],
      ),
    ),
  );

export const NetworkPolicy = defineKind<NetworkPolicyObject>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['netpol'],
  scope: 'Namespaced',
  schema: shape('networking.v1.NetworkPolicy'),
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('Pod-Selector', 'The pods it is about.', ({ spec }) => selectorText(spec?.podSelector)),
    ageColumn,
  ],

  defaults({ spec }) {
    for (const { ports } of rulesOf(spec)) for (const port of ports) port.protocol ??= 'TCP';
    if ((spec.policyTypes ?? []).length === 0)
      spec.policyTypes = (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
  },

  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    validateLabelSelector(spec.podSelector, 'spec.podSelector', causes);
    // ranges that were there before are not judged again
    const known = old === undefined ? new Set<string>() : cidrsOf(old.spec);
    for (const { path, ports, peersPath, peers } of rulesOf(spec)) {
      for (const [i, port] of ports.entries()) validatePort(port, field.child(path, 'ports').index(i));
      for (const [i, peer] of peers.entries()) validatePeer(peer, known, field.child(peersPath).index(i));
    }
    const given = spec.policyTypes ?? [];
    const here = field.child('policyTypes');
    if (given.length > types.length) here.invalid(given, 'may not specify more than two policyTypes');
    else for (const [i, type] of given.entries()) here.index(i).oneOf(type, types);
  },

  warn: ({ spec }) =>
    [...rulesOf(spec ?? {})].flatMap(({ peersPath, peers }) =>
      peers.flatMap(({ ipBlock }, i) => {
        const path = `spec.${peersPath}[${i}].ipBlock`;
        return ipBlock === undefined
          ? []
          : [
              ...warnCidr(`${path}.cidr`, ipBlock.cidr),
              ...(ipBlock.except ?? []).flatMap((cidr, j) => warnCidr(`${path}.except[${j}]`, cidr)),
            ];
      }),
    ),
});

function validatePort({ protocol, port, endPort }: NetworkPolicyPort, field: FieldAt): void {
  field.child('protocol').oneOf(protocol, protocols);
  const end = field.child('endPort');
  if (typeof port === 'number') {
    field.child('port').refuse(port, checkPortNumber(port));
    if (endPort === undefined) return;
    if (endPort < port) end.invalid(endPort, 'must be greater than or equal to `port`');
    end.refuse(endPort, checkPortNumber(endPort));
  } else if (port === undefined) {
    if (endPort !== undefined) end.invalid(endPort, 'may not be specified when `port` is not specified');
  } else {
    if (endPort !== undefined) end.invalid(endPort, 'may not be specified when `port` is non-numeric');
    field.child('port').refuse(port, checkPortName(port));
  }
}

function validatePeer(peer: NetworkPolicyPeer, known: ReadonlySet<string>, field: FieldAt): void {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  validateLabelSelector(podSelector, field.child('podSelector').path, field.causes);
  validateLabelSelector(namespaceSelector, field.child('namespaceSelector').path, field.causes);
  if (ipBlock !== undefined) validateBlock(ipBlock, known, field.child('ipBlock'));
  const selectors = [podSelector, namespaceSelector].filter((selector) => selector !== undefined).length;
  if (selectors === 0 && ipBlock === undefined) field.required('must specify a peer');
  else if (selectors > 0 && ipBlock !== undefined)
    field.forbidden('may not specify both ipBlock and another peer');
}

function validateBlock({ cidr, except = [] }: IPBlock, known: ReadonlySet<string>, field: FieldAt): void {
  const here = field.child('cidr');
  if (cidr === '') {
    here.required();
    return;
  }
  if (!known.has(cidr)) here.refuse(cidr, checkCidr(cidr));
  const whole = parseCidr(cidr);
  if (whole === undefined) return;
  for (const [i, exception] of except.entries()) {
    const place = field.child('except').index(i);
    if (!known.has(exception)) place.refuse(exception, checkCidr(exception));
    const part = parseCidr(exception);
    if (part === undefined) continue;
    // the part, cut off where the whole ends, is the whole
    const within =
      part.family === whole.family &&
      parseCidr(`${part.text}/${whole.prefixLength}`)?.network === whole.network;
    if (!within || whole.prefixLength >= part.prefixLength)
      place.invalid(exception, 'must be a strict subset of `cidr`');
  }
}
