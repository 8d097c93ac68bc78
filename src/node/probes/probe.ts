// One try of a probe: HTTP, TCP, gRPC or a command in the container. Outcomes are values; messages are the kubelet's.
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { coreV1 } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import { tlsWords } from '../../http/index.ts';
import { type ContainerRuntime, RuntimeError } from '../../os/index.ts';
import type { ProbeOutcome } from './probe-outcome.ts';

export interface ProbeTarget {
  readonly container: coreV1.Container;
  readonly containerId: string;
  /** Where HTTP and TCP go when they name no host. */
  readonly podIp: string;
}

export interface ProbeAction {
  readonly exec?: coreV1.ExecAction | undefined;
  readonly httpGet?: coreV1.HTTPGetAction | undefined;
  readonly tcpSocket?: coreV1.TCPSocketAction | undefined;
  readonly grpc?: coreV1.GRPCAction | undefined;
}

export interface TryOptions {
  readonly runtime: ContainerRuntime;
  readonly timeoutMs: number;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const ok: ProbeOutcome = { ok: true, message: '' };
const warned = (message: string): ProbeOutcome => ({ ok: true, message });
const failed = (message: string): ProbeOutcome => ({ ok: false, message });
const errored = (message: string): ProbeOutcome => ({ ok: false, message, errored: true });
const maxBody = 10 << 10;
/** Redirects, as Go knows them; others of 3xx lead nowhere. */
const followed: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** The tenth is one too many. */
const maxRedirects = 9;

/** A port by number, or by the name of one of the container's ports. Throws when there is none. */
export function resolvePort(port: number | string, container: coreV1.Container): number {
  const number = typeof port === 'number' ? port : /^\d+$/.test(port) ? Number(port) : undefined;
  if (number !== undefined) {
    if (number > 0 && number < 65_536) return number;
    throw new Error(`invalid port number: ${port}`);
  }
  const named = container.ports?.find((p) => p.name === port);
  if (named === undefined) throw new Error(`strconv.Atoi: parsing ${JSON.stringify(port)}: invalid syntax`);
  return named.containerPort;
}

const joinHost = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** A failed connection as Go words it. */
function dialError(error: NodeJS.ErrnoException, host: string, port: number): string {
  const reasons: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ETIMEDOUT: 'i/o timeout',
  };
  const reason = reasons[error.code ?? ''];
  return reason === undefined ? error.message : `dial tcp ${joinHost(host, port)}: ${reason}`;
}

/** What was no answer in HTTP, or ended before there was one, as Go words it. undefined = it has not been as far as that. */
function answerError(error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }): string | undefined {
  if (error.code === 'ECONNRESET') return 'EOF';
  if (error.code?.startsWith('HPE_') !== true) return tlsWords(error);
  const [line = ''] = (error.rawPacket?.toString('utf8') ?? '').split(/\r?\n/);
  const response = `malformed HTTP response ${JSON.stringify(line)}`;
  return `net/http: HTTP/1.x transport connection broken: ${response}`;
}

export async function tryProbe(
  action: ProbeAction,
  target: ProbeTarget,
  options: TryOptions,
): Promise<ProbeOutcome> {
  try {
    if (action.exec !== undefined) return await tryExec(action.exec.command ?? [], target, options);
    if (action.httpGet !== undefined) return await tryHttp(action.httpGet, target, options);
    if (action.tcpSocket !== undefined) {
      const host = action.tcpSocket.host || target.podIp;
      return await tryTcp(host, resolvePort(action.tcpSocket.port, target.container), options);
    }
    if (action.grpc !== undefined) {
      const { tryGrpc } = await import('./grpc-probe.ts');
      return await tryGrpc(
        {
          address: joinHost(target.podIp, action.grpc.port),
          service: action.grpc.service ?? '',
          userAgent: options.userAgent,
        },
        options,
      );
    }
    return errored('missing probe handler');
  } catch (error) {
    options.signal.throwIfAborted();
    return errored((error as Error).message);
  }
}

async function tryExec(
  command: readonly string[],
  target: ProbeTarget,
  options: TryOptions,
): Promise<ProbeOutcome> {
  try {
    const result = await options.runtime.execSync(target.containerId, command, options.timeoutMs);
    if (result.exitCode === 0) return ok;
    return failed(Buffer.concat([result.stdout, result.stderr]).subarray(0, maxBody).toString('utf8'));
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'deadlineExceeded')
      return failed(
        `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${options.timeoutMs / 1000}s`,
      );
    throw error;
  }
}

function tryTcp(host: string, port: number, options: TryOptions): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const end = (outcome: ProbeOutcome) => {
      options.signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(outcome);
    };
    const stop = () => end(failed('stopped'));
    socket.setTimeout(options.timeoutMs, () => end(failed(`dial tcp ${joinHost(host, port)}: i/o timeout`)));
    socket.once('connect', () => end(ok));
    socket.once('error', (error) => end(failed(dialError(error, host, port))));
    options.signal.addEventListener('abort', stop, { once: true });
  });
}

export function probeUrl(action: coreV1.HTTPGetAction, target: ProbeTarget): URL {
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const host = action.host || target.podIp;
  const path = action.path ?? '/';
  const base = `${scheme}://${joinHost(host, resolvePort(action.port, target.container))}`;
  return new URL(`${base}${path.startsWith('/') ? '' : '/'}${path}`);
}

function headersOf(action: coreV1.HTTPGetAction, userAgent: string): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'user-agent': userAgent, accept: '*/*' };
  const own = new Map<string, string[]>();
  for (const { name, value } of action.httpHeaders ?? []) {
    const key = name.toLowerCase();
    own.set(key, [...(own.get(key) ?? []), value]);
  }
  for (const [key, values] of own) {
    // An empty Accept or User-Agent means: send none.
    if (values.length === 1 && values[0] === '' && (key === 'accept' || key === 'user-agent'))
      delete headers[key];
    else headers[key] = values.length === 1 ? values[0]! : values;
  }
  return headers;
}

/**
 * 2xx is success; a redirect to the same host is followed, and any other 3xx is a success with a warning. Does not reject for what a
 * server answers.
 */
export function tryHttp(
  action: coreV1.HTTPGetAction,
  target: ProbeTarget,
  options: TryOptions,
): Promise<ProbeOutcome> {
  const url = probeUrl(action, target);
  return requestOnce(url, { headers: headersOf(action, options.userAgent), options, redirects: 0 });
}

/** The first part of a body, or what came of it. */
function startOf(response: http.IncomingMessage, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const end = () => done(Buffer.concat(chunks).subarray(0, maxBody).toString('utf8'));
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxBody) end();
  });
  response.once('close', end);
}

function requestOnce(
  url: URL,
  input: { headers: Record<string, string | string[]>; options: TryOptions; redirects: number },
): Promise<ProbeOutcome> {
  const { options, headers, redirects } = input;
  return new Promise((resolve) => {
    let settled = false;
    const end = (outcome: ProbeOutcome) => {
      if (settled) return;
      finish();
      resolve(outcome);
    };
    const stop = () => end(failed('stopped'));
    const finish = () => {
      settled = true;
      timer.cancel();
      options.signal.removeEventListener('abort', stop);
      request.destroy();
    };
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
    // A URL leaves out the port that is the protocol's own; the kubelet does not.
    const asked = `${url.protocol}//${joinHost(host, port)}${url.pathname}${url.search}`;
    const get = `Get ${JSON.stringify(asked)}`;
    const send = url.protocol === 'https:' ? https.request : http.request;
    const request = send(
      url,
      // A probe asks for a sign of life, not for an identity; nor for every CR, which servers of small programs leave out and the
      // kubelet does not miss.
      {
        headers,
        agent: false,
        rejectUnauthorized: false,
        insecureHTTPParser: true,
      } as https.RequestOptions,
      (response) => {
        const status = response.statusCode ?? 0;
        const location = followed.has(status) ? response.headers.location || undefined : undefined;
        if (location !== undefined && !URL.canParse(location, url.href))
          return end(failed(`${get}: failed to parse Location header ${JSON.stringify(location)}`));
        const next = location === undefined ? undefined : new URL(location, url);
        if (next?.hostname === url.hostname) {
          if (redirects >= maxRedirects)
            return end(failed(`Get ${JSON.stringify(location)}: stopped after 10 redirects`));
          finish();
          resolve(requestOnce(next, { headers, options, redirects: redirects + 1 }));
        } else if (status >= 300 && status < 400)
          startOf(response, (body) => end(warned(`Probe terminated redirects, Response body: ${body}`)));
        else end(status >= 200 && status < 300 ? ok : failed(`HTTP probe failed with statuscode: ${status}`));
      },
    );
    const timer = options.clock.after(options.timeoutMs, () =>
      end(failed(`${get}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)`)),
    );
    request.on('error', (error: NodeJS.ErrnoException) =>
      end(failed(`${get}: ${answerError(error) ?? dialError(error, host, port)}`)),
    );
    options.signal.addEventListener('abort', stop, { once: true });
    request.end();
  });
}
