// `jotasu token create | list | delete`: join tokens, made and removed as the administrator of a kubeconfig, in plain JSON as any Kubernetes
// client could. kubeadm's tokens are of the same kind and are listed too.
import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/index.ts';
import { CommandFailure, type TokenCreateFlags, type TokenFlags } from '../../cli/index.ts';
import { type Connection, KubeconfigError, readKubeconfig } from '../../client/index.ts';
import { ConnectionError, createHttpsClient, type HttpsClient } from '../../http/index.ts';
import { formatTime, humanDuration, parseTime } from '../../machinery/index.ts';
import { authorityHash, formatJoinToken, parseJoinToken, randomWord } from './join-token.ts';

export interface TokenSurroundings {
  readonly clock: Clock;
  readonly say: (line: string) => void;
  /** Where the kubeconfig is when no flag says it. */
  readonly defaultKubeconfig: string;
  /** How a person types this program. */
  readonly command: string;
}

const dayMs = 86_400_000;
const type = 'bootstrap.kubernetes.io/token';
const secrets = '/api/v1/namespaces/kube-system/secrets';

interface TokenSecret {
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
}

/** Says the token alone, for scripts that read the last line, after the whole command to type. */
export async function tokenCreate(flags: TokenCreateFlags, around: TokenSurroundings): Promise<void> {
  await asAdministrator(flags, around, async (api, connection) => {
    if (connection.ca === undefined)
      throw new CommandFailure(
        `${around.defaultKubeconfig}: names no certificate-authority: a token must carry the hash of the cluster's CA`,
      );
    const ttlMs = flags.ttlMs ?? dayMs;
    const [id, secret] = [
      randomWord(6, (limit) => randomInt(limit)),
      randomWord(16, (limit) => randomInt(limit)),
    ];
    const stringData = {
      'token-id': id,
      'token-secret': secret,
      'usage-bootstrap-authentication': 'true',
      ...(ttlMs > 0 && { expiration: formatTime(around.clock.nowMs() + ttlMs) }),
      ...(flags.description !== undefined && { description: flags.description }),
    };
    await api('POST', secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
      type,
      stringData,
    });
    const token = formatJoinToken({ caHash: authorityHash(connection.ca), id, secret });
    const server = await serverForNodes(api, connection);
    const life = ttlMs > 0 ? `good for ${humanDuration(ttlMs)}` : 'good until it is deleted';
    around.say(`Token ${id}, ${life}. On the machine that joins, as root:`);
    around.say('');
    around.say(`  ${around.command} agent --server ${server} --token ${token}`);
    around.say('');
    around.say(token);
  });
}

export async function tokenList(flags: TokenFlags, around: TokenSurroundings): Promise<void> {
  await asAdministrator(flags, around, async (api) => {
    const selector = encodeURIComponent(`type=${type}`);
    const { items } = (await api('GET', `${secrets}?fieldSelector=${selector}`)) as {
      items?: TokenSecret[];
    };
    const rows = planTokenRows(items ?? [], around.clock.nowMs());
    const header = ['ID', 'TTL', 'EXPIRES', 'DESCRIPTION'];
    for (const line of table([header, ...rows])) around.say(line);
  });
}

/** By id or by the whole token. */
export async function tokenDelete(
  flags: TokenFlags & { token: string },
  around: TokenSurroundings,
): Promise<void> {
  const id = parseJoinToken(flags.token)?.id ?? /^([a-z0-9]{6})(?:\.[a-z0-9]{16})?$/.exec(flags.token)?.[1];
  if (id === undefined)
    throw new CommandFailure('token delete takes the ID of a token (6 letters and digits), or the token', {
      exitCode: 2,
    });
  await asAdministrator(flags, around, async (api) => {
    const gone = await api('DELETE', `${secrets}/bootstrap-token-${id}`);
    if (gone === undefined) throw new CommandFailure(`there is no token ${id}`);
    around.say(`Token ${id} is deleted; nodes that joined by it stay.`);
  });
}

/** ID, time left, end, description. Pure. */
export function planTokenRows(items: readonly TokenSecret[], nowMs: number): string[][] {
  return items
    .map(({ data }) => {
      const read = (key: string) => Buffer.from(data?.[key] ?? '', 'base64').toString('utf8');
      const expiration = read('expiration');
      const leftMs = (parseTime(expiration) ?? 0) - nowMs;
      const ttl = expiration === '' ? '<forever>' : leftMs > 0 ? humanDuration(leftMs) : '<expired>';
      return [read('token-id'), ttl, expiration || '<never>', read('description') || '<none>'];
    })
    .sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]! + 3))
      .join('')
      .trimEnd(),
  );
}

/** undefined = 404 to a DELETE. Anything else that is no success rejects with a CommandFailure. */
type Api = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => Promise<unknown>;

async function asAdministrator(
  { kubeconfig, context }: TokenFlags,
  { clock, defaultKubeconfig }: TokenSurroundings,
  work: (api: Api, connection: Connection) => Promise<void>,
): Promise<void> {
  const file = kubeconfig ?? defaultKubeconfig;
  const connection = await readKubeconfig(file, context).catch((error: unknown) => {
    if (error instanceof KubeconfigError) throw new CommandFailure(error.message, { cause: error });
    throw error;
  });
  const http = createHttpsClient({ ...connection, userAgent: 'jotasu-token', timeoutMs: 10_000, clock });
  try {
    await work(apiOver(http), connection);
  } catch (error) {
    if (error instanceof ConnectionError)
      throw new CommandFailure(`cannot reach ${error.message}`, { cause: error });
    throw error;
  } finally {
    http.close();
  }
}

const apiOver =
  (http: HttpsClient): Api =>
  async (method, path, body) => {
    const { status, body: answer } = await http.request({
      method,
      path,
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (method === 'DELETE' && status === 404) return undefined;
    const text = answer.toString('utf8');
    if (status < 300) return JSON.parse(text);
    let message = text.slice(0, 500);
    try {
      message = (JSON.parse(text) as { message?: string }).message ?? message;
    } catch {
      // Its text is all there is to say.
    }
    throw new CommandFailure(`the server refuses: ${message}`);
  };

/** Where other machines reach it: what the servers say of themselves, since a kubeconfig mostly names this machine's loopback. */
async function serverForNodes(api: Api, { server }: Connection): Promise<string> {
  const { hostname } = new URL(server);
  if (hostname !== 'localhost' && hostname !== '[::1]' && !hostname.startsWith('127.')) return server;
  // None at all where a server serves its own machine only.
  const { items } = (await api(
    'GET',
    '/api/v1/namespaces/default/endpoints?fieldSelector=metadata.name%3Dkubernetes',
  )) as { items?: { subsets?: { addresses?: { ip: string }[]; ports?: { port: number }[] }[] }[] };
  const subsets = items?.[0]?.subsets;
  const ip = subsets?.[0]?.addresses?.[0]?.ip;
  const port = subsets?.[0]?.ports?.[0]?.port;
  if (ip === undefined || port === undefined) return server;
  return `https://${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
}
