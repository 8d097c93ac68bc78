export { type IngressClassOptions, startIngressClass } from './default-class.ts';
export type { ProxySettings } from './haproxy-config.ts';
export { type NodeIngress, type NodeIngressOptions, startNodeIngress } from './node-ingress.ts';
export { type IngressProblem, type IngressView, planIngress, secretsNamed, servedIngresses } from './plan.ts';
