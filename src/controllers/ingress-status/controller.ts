// What is told about ingresses that nodes serve: their addresses, and as Events what of them is not as they ask. The nodes decide the
// same by themselves; here it is said once and not by each of them.
import {
  Ingress,
  IngressClass,
  ingressClassOf,
  Node,
  ownIngressClasses,
  Secret,
  Service,
} from '../../api/index.ts';
import { isNotFound, keyOf } from '../../machinery/index.ts';
import { type Controller, type ControllerContext, defineController, maps } from '../framework/index.ts';
import { ingressNodeFacts, planIngressAddresses } from './plan.ts';

/** What of an ingress is not as it asks. */
export interface ToldProblem {
  /** NAMESPACE/NAME */
  readonly ingress: string;
  readonly reason: string;
  readonly message: string;
}

export interface IngressStatusOptions {
  /** The nodes' own judgement. Pure. */
  readonly findProblems: (view: {
    readonly ingresses: readonly Ingress[];
    readonly classes: readonly IngressClass[];
    service(namespace: string, name: string): Service | undefined;
    secret(namespace: string, name: string): Secret | undefined;
  }) => readonly ToldProblem[];
}

const all = (_: unknown, lister: ControllerContext['lister']): readonly string[] =>
  lister(Ingress).list().map(keyOf);
const ofNamespace = (
  { metadata: { namespace } }: Service | Secret,
  lister: ControllerContext['lister'],
): readonly string[] => lister(Ingress).list(namespace).map(keyOf);

/** How long an ingress may wait for what it names before that is told; creation times are whole seconds. */
const settleMs = 2_000;

export const ingressStatusController = ({ findProblems }: IngressStatusOptions): Controller =>
  defineController({
    name: 'ingress-status',
    component: 'ingress-controller',
    reconciles: Ingress,
    watches: [
      // An ingress that goes may give another what it waits for.
      maps(Ingress, all),
      maps(IngressClass, all),
      maps(Node, all, { when: (old, node) => ingressNodeFacts(old) !== ingressNodeFacts(node) }),
      maps(Service, ofNamespace),
      maps(Secret, ofNamespace),
    ],
    build: ({ clock, informer, client, event }) => {
      const ingresses = informer(Ingress);
      const classes = informer(IngressClass);
      const nodes = informer(Node);
      const services = informer(Service);
      const secrets = informer(Secret);
      const told = new Map<string, ReadonlySet<string>>();
      let judged = '';
      let problems: Map<string, readonly ToldProblem[]> = new Map();

      /** One look at everything serves all ingresses that are woken by a change. */
      const problemsOf = (key: string): readonly ToldProblem[] => {
        const now = [ingresses, classes, services, secrets].map(({ revision }) => revision).join();
        if (now !== judged) {
          judged = now;
          const found = findProblems({
            ingresses: ingresses.list(),
            classes: classes.list(),
            service: (namespace, name) => services.get(`${namespace}/${name}`),
            secret: (namespace, name) => secrets.get(`${namespace}/${name}`),
          });
          problems = new Map();
          for (const one of found) problems.set(one.ingress, [...(problems.get(one.ingress) ?? []), one]);
        }
        return problems.get(key) ?? [];
      };

      return async function reconcile(key) {
        const ingress = ingresses.get(key);
        if (ingress === undefined || ingress.metadata.deletionTimestamp !== undefined) {
          told.delete(key);
          return;
        }
        if (!ownIngressClasses(classes.list()).has(ingressClassOf(ingress) ?? '')) {
          told.delete(key);
          return;
        }
        const wanted = planIngressAddresses(nodes.list());
        const had = (ingress.status?.loadBalancer?.ingress ?? []).map(
          ({ ip, hostname }) => ip ?? hostname ?? '',
        );
        if (wanted.join() !== had.join()) {
          const { name, namespace } = ingress.metadata;
          const status = {
            loadBalancer: wanted.length === 0 ? null : { ingress: wanted.map((ip) => ({ ip })) },
          };
          try {
            await client(Ingress).patch({ name, namespace, subresource: 'status' }, 'merge', { status });
          } catch (error) {
            if (!isNotFound(error)) throw error;
            return;
          }
        }
        // A secret or a service is often made a moment after the ingress that names it.
        const youngMs = Date.parse(ingress.metadata.creationTimestamp ?? '') + settleMs - clock.nowMs();
        if (youngMs > 0) return { requeueAfterMs: youngMs };
        const found = problemsOf(key);
        const before = told.get(key);
        for (const { reason, message } of found)
          if (!before?.has(message)) event(ingress, 'Warning', reason, message);
        told.set(key, new Set(found.map(({ message }) => message)));
      };
    },
  });
