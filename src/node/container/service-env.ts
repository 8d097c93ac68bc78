// The variables by which containers find services without DNS: NAME_SERVICE_HOST, NAME_PORT_80_TCP … Pure.
import type { Service } from '../../api/index.ts';

const variable = (text: string): string => text.replaceAll('-', '_').toUpperCase();

const hasAddress = (service: Service): boolean => {
  const ip = service.spec?.clusterIP ?? '';
  return ip !== '' && ip !== 'None';
};

/** The services a pod of `namespace` learns of: its neighbours if it wants links, and the API server in any case. */
export function visibleServices(
  services: readonly Service[],
  namespace: string,
  links: 'all' | 'apiServerOnly',
): Service[] {
  const found = new Map<string, Service>();
  for (const service of services) {
    if (!hasAddress(service)) continue;
    const { name, namespace: of } = service.metadata;
    if (of === namespace && links === 'all') found.set(name, service);
    else if (of === 'default' && name === 'kubernetes' && !found.has(name)) found.set(name, service);
  }
  return [...found.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

export function serviceVariables(services: readonly Service[]): Map<string, string> {
  const env = new Map<string, string>();
  for (const service of services) {
    const ports = service.spec?.ports ?? [];
    const first = ports[0];
    if (first === undefined) continue;
    const ip = service.spec!.clusterIP!;
    const host = ip.includes(':') ? `[${ip}]` : ip;
    const name = variable(service.metadata.name);
    env.set(`${name}_SERVICE_HOST`, ip);
    env.set(`${name}_SERVICE_PORT`, String(first.port));
    for (const port of ports)
      if (port.name) env.set(`${name}_SERVICE_PORT_${variable(port.name)}`, String(port.port));
    const url = (p: typeof first) => `${(p.protocol ?? 'TCP').toLowerCase()}://${host}:${p.port}`;
    env.set(`${name}_PORT`, url(first));
    for (const port of ports) {
      const protocol = (port.protocol ?? 'TCP').toUpperCase();
      const prefix = `${name}_PORT_${port.port}_${protocol}`;
      env.set(prefix, url(port));
      env.set(`${prefix}_PROTO`, protocol.toLowerCase());
      env.set(`${prefix}_PORT`, String(port.port));
      env.set(`${prefix}_ADDR`, ip);
    }
  }
  return env;
}
