// Entries of conntrack that the rules alone cannot undo. A TCP connection to an endpoint that is gone ends by itself; a UDP flow would
// be sent there as long as its client goes on. The plans are arguments for conntrack(8).
import type { Log } from '../base/index.ts';
import { CommandError, type Exec } from '../os/index.ts';
import type { Family } from './contribution.ts';
import type { DatagramFrontend } from './plan-service.ts';
import type { DatagramChange } from './rules.ts';

const familyName = (family: Family): string => (family === 'ip' ? 'ipv4' : 'ipv6');

/** A node port has no address of its own. */
function matching({ family, address, port }: DatagramFrontend): string[] {
  const to = address === '' ? [] : ['--orig-dst', address];
  return ['-D', '-f', familyName(family), '-p', 'udp', ...to, '--orig-port-dst', String(port)];
}

/** `10.244.1.5 . 53`: the answers tell where a flow was sent. */
function answeredFrom(endpoint: string): string[] {
  const [address = '', port = ''] = endpoint.split(' . ');
  return ['--reply-src', address, '--reply-port-src', port];
}

/** Flows to endpoints that are gone, and flows that began when there was no endpoint. Pure. */
export function planStaleFlows(changes: readonly DatagramChange[]): string[][] {
  const commands: string[][] = [];
  for (const { was, is } of changes) {
    const before = was?.endpoints ?? none;
    const now = is?.endpoints ?? none;
    if (is !== undefined && before.size === 0 && now.size > 0) commands.push(matching(is));
    if (was === undefined) continue;
    for (const endpoint of before)
      if (!now.has(endpoint)) commands.push([...matching(was), ...answeredFrom(endpoint)]);
  }
  return commands;
}

const none: ReadonlySet<string> = new Set();

interface Flow {
  readonly destination: string;
  readonly port: number;
  /** Where the answers come from: the endpoint, if the flow was sent to one. `10.244.1.5 . 53` */
  readonly answeredBy: string;
}

/** The lines of `conntrack -L`: `udp 17 29 src=… dst=… sport=… dport=… [UNREPLIED] src=… dst=… …`. */
export function parseFlows(text: string): Flow[] {
  return text.split('\n').flatMap((line) => {
    const all = (name: string): string[] =>
      Array.from(line.matchAll(new RegExp(`\\b${name}=(\\S+)`, 'g')), ([, value]) => value!);
    const [destination] = all('dst');
    const [, answeredBy] = all('src');
    const [port] = all('dport');
    const [, answeringPort] = all('sport');
    if (destination === undefined || answeredBy === undefined || port === undefined) return [];
    return { destination, port: Number(port), answeredBy: `${answeredBy} . ${answeringPort}` };
  });
}

/**
 * Of all UDP flows those that go somewhere else than the rules say; for the start, when nobody knows what was before. Pure.
 */
export function planStaleAtStart(
  flows: readonly Flow[],
  frontends: readonly DatagramFrontend[],
  nodeAddresses: ReadonlySet<string>,
): string[][] {
  const byAddress = new Map(frontends.map((frontend) => [`${frontend.address} ${frontend.port}`, frontend]));
  const commands = new Map<string, string[]>();
  for (const { destination, port, answeredBy } of flows) {
    const frontend =
      byAddress.get(`${destination} ${port}`) ??
      (nodeAddresses.has(destination) ? byAddress.get(` ${port}`) : undefined);
    if (frontend === undefined || frontend.endpoints.has(answeredBy)) continue;
    // Nobody serves: it goes nowhere, and what comes next is refused by the rules.
    const past = answeredBy === `${destination} . ${port}`;
    if (past && frontend.endpoints.size === 0) continue;
    const command = past ? matching(frontend) : [...matching(frontend), ...answeredFrom(answeredBy)];
    commands.set(command.join(' '), command);
  }
  return [...commands.values()];
}

/** Reads and removes entries. Without conntrack(8) it says so once and does nothing. */
export class Conntrack {
  readonly #exec: Exec;
  readonly #log: Log;
  #missing = false;

  constructor(exec: Exec, log: Log) {
    this.#exec = exec;
    this.#log = log;
  }

  async remove(commands: readonly (readonly string[])[]): Promise<void> {
    // It fails when there is nothing to remove.
    for (const command of commands) await this.#run(command);
  }

  async readFlows(family: Family): Promise<Flow[]> {
    return parseFlows(await this.#run(['-L', '-f', familyName(family), '-p', 'udp']));
  }

  async #run(args: readonly string[]): Promise<string> {
    if (this.#missing) return '';
    try {
      const output = await this.#exec.run(['conntrack', ...args], { mayFail: true, timeoutMs: 10_000 });
      return output.code === 0 ? output.stdout : '';
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.#missing = error.code === 'missing';
      this.#log.warn('UDP flows to endpoints that are gone are not removed', { error });
      return '';
    }
  }
}
