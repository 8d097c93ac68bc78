// Two nodes, their pods, and the world outside, each a network namespace with a process that answers and asks. No containers: what
// policies meet is the same bridge, the same routes and the same hooks.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { applyRuleset, type Exec, systemExec } from '../../src/os/index.ts';
import {
  type ConnectionAttempt,
  type PolicyPodParts,
  policyNodeAddresses,
  policyStrangers,
} from '../../src/testkit/index.ts';
import { mustRun } from './tour-machine.ts';

const prefix = 'jt-pol-';
export const outside = 'outside';
/** Where node n1 answers as the cluster's DNS. */
export const dnsAddress = '10.96.0.10';
/** Of a service that leads to the first pod. */
export const serviceAddress = '10.96.0.1';

class Prober {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(why: Error): void }>();
  readonly ready: Promise<void>;
  #last = 0;

  constructor(netns: string) {
    const script = join(import.meta.dirname, 'policy-prober.mjs');
    this.#process = spawn('nsenter', [`--net=/run/netns/${prefix}${netns}`, process.execPath, script], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.ready = new Promise((resolve, reject) => {
      this.#process.once('message', () => resolve());
      this.#process.once('error', reject);
      this.#process.once('exit', (code) => reject(new Error(`the prober of ${netns} ended: ${code}`)));
    });
    this.#process.on(
      'message',
      ({ id, answer, error }: { id?: number; answer?: unknown; error?: string }) => {
        const waiting = this.#waiting.get(id ?? -1);
        if (error === undefined) waiting?.resolve(answer);
        else waiting?.reject(new Error(error));
      },
    );
  }

  ask<T>(command: string, more: object): Promise<T> {
    const id = ++this.#last;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#process.send({ id, command, ...more });
    }).finally(() => this.#waiting.delete(id));
  }

  end(): void {
    this.ready.catch(() => {});
    this.#process.removeAllListeners('exit');
    this.#process.kill('SIGKILL');
  }
}

export class PolicyMachines {
  readonly #probers = new Map<string, Prober>();
  readonly #netns: string[] = [];
  readonly #pods: readonly PolicyPodParts[];
  /** By address: the namespace that has it. */
  readonly #places = new Map<string, string>();

  /** Pods with their own addresses; those on the host network are their nodes. */
  constructor(pods: readonly PolicyPodParts[]) {
    this.#pods = pods;
  }

  async up(): Promise<void> {
    await this.down();
    const lines: string[] = [];
    const add = (name: string): void => {
      this.#netns.push(name);
      lines.push(`ip netns add ${prefix}${name}`);
      inside(name, 'ip link set lo up');
    };
    const inside = (name: string, command: string): void => {
      lines.push(`nsenter --net=/run/netns/${prefix}${name} ${command}`);
    };
    const set = (name: string, setting: string): void =>
      inside(name, `sh -c 'echo 1 > /proc/sys/net/${setting}'`);
    const veth = (a: string, aLink: string, b: string, bLink: string): void => {
      lines.push(`ip link add ${aLink} netns ${prefix}${a} type veth peer name ${bLink} netns ${prefix}${b}`);
      inside(a, `ip link set ${aLink} up`);
      inside(b, `ip link set ${bLink} up`);
    };
    const address = (name: string, text: string, link: string): void => {
      inside(name, `ip address add ${text} dev ${link}${text.includes(':') ? ' nodad' : ''}`);
      this.#places.set(text.split('/')[0]!, name);
    };
    const bridge = (name: string, link: string): void => {
      inside(name, `ip link add ${link} type bridge`);
      inside(name, `ip link set ${link} up`);
    };

    add(outside);
    bridge(outside, 'br0');
    address(outside, '192.0.2.254/24', 'br0');
    address(outside, 'fd00:8::fe/64', 'br0');
    for (const stranger of policyStrangers)
      address(outside, `${stranger}/${stranger.includes(':') ? 128 : 32}`, 'lo');
    for (const name of [outside, 'n1', 'n2']) {
      if (name !== outside) add(name);
      set(name, 'ipv4/ip_forward');
      set(name, 'ipv6/conf/all/forwarding');
    }
    for (const [node, ip] of Object.entries(policyNodeAddresses)) {
      const number = node.slice(1);
      veth(node, 'eth0', outside, node);
      inside(outside, `ip link set ${node} master br0`);
      address(node, `${ip}/24`, 'eth0');
      address(node, `fd00:8::${number}/64`, 'eth0');
      bridge(node, 'cni0');
      address(node, `10.244.${number}.1/24`, 'cni0');
      address(node, `fd01:0:0:${number}::1/64`, 'cni0');
      inside(node, 'ip route add default via 192.0.2.254');
      inside(node, 'ip -6 route add default via fd00:8::fe');
      inside(outside, `ip route add 10.244.${number}.0/24 via ${ip}`);
      inside(outside, `ip -6 route add fd01:0:0:${number}::/64 via fd00:8::${number}`);
    }
    inside('n1', `ip address add ${dnsAddress}/32 dev lo`);
    for (const { name, ips, node = 'n1' } of this.#pods) {
      add(name);
      veth(name, 'eth0', node, name);
      inside(node, `ip link set ${name} master cni0`);
      for (const ip of ips) address(name, `${ip}/${ip.includes(':') ? 64 : 24}`, 'eth0');
      inside(name, `ip route add default via 10.244.${node.slice(1)}.1`);
      inside(name, `ip -6 route add default via fd01:0:0:${node.slice(1)}::1`);
    }
    await mustRun(['sh', '-e'], { input: lines.join('\n') });
    const [first] = this.#pods;
    // On both: what the service proxy does on each node, and what makes the kernel remember connections.
    for (const node of ['n1', 'n2'])
      await applyRuleset(
        this.execIn(node),
        `table ip test-services {
          chain prerouting {
            type nat hook prerouting priority -100;
            ip daddr ${serviceAddress} dnat to ${first!.ips[0]}
          }
        }
`,
      );
    for (const name of this.#netns) this.#probers.set(name, new Prober(name));
    await Promise.all([...this.#probers.values()].map((prober) => prober.ready));
  }

  async down(): Promise<void> {
    for (const prober of this.#probers.values()) prober.end();
    this.#probers.clear();
    await mustRun([
      'sh',
      '-c',
      `for each in $(ip netns list | sed 's/ .*//' | grep '^${prefix}'); do ip netns delete $each; done`,
    ]);
  }

  /** Commands run on a node. */
  execIn(node: string): Exec {
    const within = (argv: readonly string[]) => ['nsenter', `--net=/run/netns/${prefix}${node}`, ...argv];
    return {
      run: (argv, options) => systemExec.run(within(argv), options),
      spawnDetached: (argv, options) => systemExec.spawnDetached(within(argv), options),
    };
  }

  ask<T>(name: string, command: string, more: object): Promise<T> {
    return this.#probers.get(name)!.ask<T>(command, more);
  }

  /** Whether each got an answer; all at once. */
  async attempts(attempts: readonly ConnectionAttempt[], timeoutMs: number): Promise<boolean[]> {
    const byPlace = new Map<string, number[]>();
    for (const [i, { source }] of attempts.entries()) {
      const place = this.#places.get(source)!;
      byPlace.set(place, [...(byPlace.get(place) ?? []), i]);
    }
    const answers: boolean[] = [];
    await Promise.all(
      [...byPlace].map(async ([place, indexes]) => {
        const mine = indexes.map((i) => attempts[i]);
        const got = await this.ask<boolean[]>(place, 'attempts', { attempts: mine, timeoutMs });
        for (const [at, i] of indexes.entries()) answers[i] = got[at]!;
      }),
    );
    return answers;
  }
}
