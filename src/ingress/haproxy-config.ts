// The text of HAProxy's configuration and of the files it reads. Pure. Requests find their backend in two maps, so that the cost of one
// does not grow with the number of rules, and rules change without a new configuration.
import { type Arrangement, type Places, serverName, splitEndpoint } from './arrangement.ts';
import { refusedBackend } from './plan.ts';

export interface ProxySettings {
  /** Of configuration, maps, certificates and the socket. */
  readonly directory: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Of `/metrics` and `/healthz`, on loopback. */
  readonly metricsPort: number;
  /** On both sides of it twice as many files are open. */
  readonly maxConnections: number;
  readonly threads: number;
  /** Whether the kernel has it. */
  readonly ipv6: boolean;
  /** Who it becomes once it listens; undefined = it stays what it is. */
  readonly user: string | undefined;
}

export interface ConfigFile {
  readonly name: string;
  readonly text: string;
}

export const configName = 'haproxy.cfg';
export const socketName = 'admin.sock';
export const certificateListName = 'certificates.list';
export const defaultCertificateName = 'default.pem';
export const mapFileName = (name: string): string => `${name}.map`;
export const certificateFileName = (name: string): string => `${name}.pem`;
/** The variable by which a process tells which configuration it has. */
export const generationVariable = 'JOTASU_GENERATION';

/** Of a request to an endpoint: a pod is reached at once or not at all, and then another is tried. */
const connectTimeout = '2s';
/** An endpoint that does not acknowledge what it was sent is gone with its node. */
const unacknowledgedTimeout = '3s';
/** The same for one that has the request and says nothing: its kernel is asked whether it is there. */
const silentBeforeProbes = '3s';

/** All files but the default certificate. `generation`: what the process shall answer when it is asked. */
export function configFiles(
  arrangement: Arrangement,
  settings: ProxySettings,
  generation: string,
): readonly ConfigFile[] {
  const { directory } = settings;
  const certificates = arrangement.certificates.map(({ name, pem }) => ({
    name: certificateFileName(name),
    text: pem,
  }));
  // The first is shown to who names no host, or one that nobody has a certificate for.
  const list = [
    `${directory}/${defaultCertificateName}`,
    ...arrangement.certificates.map(
      ({ name, hosts }) => `${directory}/${certificateFileName(name)} ${hosts.join(' ')}`,
    ),
  ];
  return [
    { name: mapFileName('exact'), text: mapText(arrangement.exact) },
    { name: mapFileName('prefix'), text: mapText(arrangement.prefix) },
    ...certificates,
    { name: certificateListName, text: `${list.join('\n')}\n` },
    { name: configName, text: configText(arrangement, settings, generation) },
  ];
}

export const mapText = (lines: ReadonlyMap<string, string>): string =>
  [...lines].map(([key, value]) => `${key} ${value}\n`).join('');

function configText({ backends }: Arrangement, settings: ProxySettings, generation: string): string {
  const { directory, httpPort, httpsPort, metricsPort, maxConnections, threads, user, ipv6 } = settings;
  const map = (name: string): string => `${directory}/${mapFileName(name)}`;
  const families = ipv6 ? [':PORT', ':::PORT v6only'] : [':PORT'];
  const missing = 'unless { var(txn.route) -m found }';
  return `# Written by jotasu; changes are lost.
global
  maxconn ${maxConnections}
  no strict-limits
  nbthread ${threads}
  setenv ${generationVariable} ${generation}
  stats socket ${directory}/${socketName} mode 600 level admin expose-fd listeners
  hard-stop-after 10m
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
${user === undefined ? '' : `  user ${user}\n  group ${user}\n`}
defaults
  mode http
  timeout connect ${connectTimeout}
  timeout client 60s
  timeout client-fin 10s
  timeout server 60s
  timeout tunnel 1h
  timeout http-request 10s
  timeout http-keep-alive 60s
  timeout queue 10s
  option srvtcpka
  srvtcpka-idle ${silentBeforeProbes}
  srvtcpka-intvl 1s
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response

frontend ingress
${families
  .map(
    (at) => `  bind ${at.replace('PORT', String(httpPort))}
  bind ${at.replace('PORT', String(httpsPort))} ssl crt-list ${directory}/${certificateListName} alpn h2,http/1.1
`,
  )
  .join('')}  option idle-close-on-response
  option http-ignore-probes
  http-request set-var(txn.host) req.hdr(host),field(1,:),lower,regsub('\\.$',)
  http-request set-var(txn.wildcard) var(txn.host),regsub('^[^.]+','*')
  http-request set-var(txn.path) path
  http-request set-var(txn.route) var(txn.host),concat(,txn.path),map_str(${map('exact')})
  http-request set-var(txn.route) var(txn.host),concat(,txn.path,/),map_beg(${map('prefix')}) ${missing}
  http-request set-var(txn.route) var(txn.wildcard),concat(,txn.path),map_str(${map('exact')}) ${missing}
  http-request set-var(txn.route) var(txn.wildcard),concat(,txn.path,/),map_beg(${map('prefix')}) ${missing}
  http-request set-var(txn.route) path,map_str(${map('exact')}) ${missing}
  http-request set-var(txn.route) path,concat(/),map_beg(${map('prefix')}) ${missing}
  http-request return status 404 content-type text/plain string "404 page not found\\n" ${missing}
  http-request redirect scheme https code 308 if { var(txn.route),field(4,|) 1 } !{ ssl_fc }
  http-request set-var(txn.limit) var(txn.route),field(3,|)
  http-request return status 413 content-type text/plain string "413 request entity too large\\n" if { var(txn.limit) -m int gt 0 } { req.body_size,sub(txn.limit) gt 0 }
  http-request del-header x-forwarded-for
  http-request set-header x-forwarded-for %[src]
  http-request set-header x-real-ip %[src]
  http-request set-header x-forwarded-host %[req.hdr(host)]
  http-request set-header x-forwarded-port %[dst_port]
  http-request set-header x-forwarded-proto https if { ssl_fc }
  http-request set-header x-forwarded-proto http unless { ssl_fc }
  use_backend %[var(txn.route),field(1,|)]
  default_backend ${refusedBackend}

frontend metrics
  bind 127.0.0.1:${metricsPort}
  http-request use-service prometheus-exporter if { path /metrics }
  http-request return status 200 content-type text/plain string "ok\\n" if { path /healthz }
  http-request return status 404

backend ${refusedBackend}
  http-request return status 503 content-type text/plain string "503 service unavailable\\n"
${backends.map(backendText).join('')}`;
}

const protocolWords = { h1: '', h2: ' proto h2', tls: ' ssl verify none' } as const;

function backendText({ name, protocol, sticky, servers }: Places): string {
  const options = `tcp-ut ${unacknowledgedTimeout}${protocolWords[protocol]}`;
  const lines = servers.map((server, i) => {
    if (server === null) return `  server ${serverName(i)} 127.0.0.1:1 disabled ${options}\n`;
    const { address, port } = splitEndpoint(server);
    return `  server ${serverName(i)} ${address.includes(':') ? `[${address}]` : address}:${port} ${options}\n`;
  });
  return `
backend ${name}
  balance ${sticky ? 'source\n  hash-type consistent' : 'random(2)'}
  http-request set-timeout server var(txn.route),field(2,|)
  http-request disable-l7-retry unless METH_GET
${lines.join('')}`;
}
