export { type Arrangement, arrange, planStep, type Step } from './arrangement.ts';
export { type IngressClassOptions, startIngressClass } from './default-class.ts';
export { Haproxy, type HaproxyOptions } from './haproxy.ts';
export { configFiles, defaultCertificateName, mapFileName, type ProxySettings } from './haproxy-config.ts';
export { type NodeIngress, type NodeIngressOptions, startNodeIngress } from './node-ingress.ts';
export {
  type IngressPlan,
  type IngressProblem,
  type IngressView,
  planIngress,
  secretsNamed,
  servedIngresses,
} from './plan.ts';
