// A node without containers: it registers, renews its Lease, and reports pods as a node agent would, after delays that the test
// chooses. It can lose its power, its network or only its server. Speaks through a client and nothing else.
import { isTerminal, isTerminating, Lease, Node, Pod } from '../api/index.ts';
import { type Clock, type Log, Scope, sleep } from '../base/index.ts';
import { type Client, createInformers } from '../client/index.ts';
import {
  type Draft,
  formatMicroTime,
  formatTime,
  isAlreadyExists,
  isConflict,
  isNotFound,
} from '../machinery/index.ts';

export interface SimulatedNodeOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly labels?: Readonly<Record<string, string>>;
  readonly allocatable?: Readonly<Record<string, string>>;
  /** How long a pod takes to be running and ready; undefined = it runs and never gets ready. Default 500 ms. */
  readonly readyAfterMs?: (pod: Pod) => number | undefined;
  /** What a ready pod comes to by itself; undefined = it runs until it is deleted. Default undefined. */
  readonly outcome?: (pod: Pod) => Outcome | undefined;
  /** How long a deleted pod takes to end. Default 200 ms. */
  readonly endsAfterMs?: number;
  readonly leaseRenewMs?: number;
}

/** All containers exit with this code so long after the pod was ready. With restartPolicy OnFailure a failure is a restart. */
export interface Outcome {
  readonly afterMs: number;
  readonly exitCode: number;
}

const leaseNamespace = 'kube-node-lease';
const defaults = { cpu: '4', memory: '8Gi', pods: '110' };

/** A pod as it is on the machine, whatever the server thinks. */
interface Running {
  readonly key: string;
  ready: boolean;
  ending: boolean;
}

export class SimulatedNode {
  readonly name: string;
  readonly #options: SimulatedNodeOptions;
  /** By uid. What is here runs, also while the server cannot be reached. */
  readonly #pods = new Map<string, Running>();
  #connection: Scope | null = null;
  #power: Scope;
  #client: Client | null = null;
  #address = 0;

  constructor(options: SimulatedNodeOptions) {
    this.name = options.name;
    this.#options = options;
    this.#power = new Scope(options.log);
  }

  /** Uids of the pods that run on the machine now. */
  get running(): readonly string[] {
    return [...this.#pods.keys()];
  }

  /** Registers, tells what runs, follows its pods. Resolves when the server knows the node. */
  async connect(client: Client): Promise<void> {
    await this.disconnect();
    const { clock, log } = this.#options;
    this.#client = client;
    const scope = new Scope(log, this.#power.signal);
    this.#connection = scope;
    await this.#register(client);
    scope.run('renew lease', (signal) => this.#renew(client, signal));
    const informers = createInformers(client, { scope, log, clock });
    const pods = informers(Pod, { fieldSelector: `spec.nodeName=${this.name}` });
    pods.onChange({
      added: (pod) => this.#see(pod),
      updated: (_, pod) => this.#see(pod),
      deleted: (pod) => this.#pods.delete(pod.metadata.uid),
    });
    await pods.synced;
    // Deleted while this node could not hear of it.
    for (const [uid, { key }] of this.#pods) if (pods.get(key)?.metadata.uid !== uid) this.#pods.delete(uid);
  }

  /** The network fails: the pods run on. */
  async disconnect(): Promise<void> {
    this.#client = null;
    const scope = this.#connection;
    this.#connection = null;
    await scope?.stop();
  }

  /** The power fails: nothing runs any more, and nobody hears of it. `connect` brings the machine back, empty. */
  async kill(): Promise<void> {
    await this.disconnect();
    await this.#power.stop();
    this.#power = new Scope(this.#options.log);
    this.#pods.clear();
  }

  async #register(client: Client): Promise<void> {
    const { labels, allocatable, clock } = this.#options;
    const metadata = { name: this.name, labels: { 'kubernetes.io/hostname': this.name, ...labels } };
    await client(Node)
      .create({ metadata, spec: {} } as Draft<Node>)
      .catch((error: unknown) => {
        if (!isAlreadyExists(error)) throw error;
      });
    const amounts = { ...defaults, ...allocatable };
    const now = formatTime(clock.nowMs());
    const condition = (type: string, status: string, reason: string) => ({
      type,
      status,
      reason,
      message: '',
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    });
    const conditions = [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
      condition('Ready', 'True', 'KubeletReady'),
    ];
    await client(Node).patch({ name: this.name, subresource: 'status' }, 'strategic', {
      status: { capacity: amounts, allocatable: amounts, conditions },
    });
  }

  async #renew(client: Client, signal: AbortSignal): Promise<void> {
    const { clock, leaseRenewMs = 1000 } = this.#options;
    while (!signal.aborted) {
      const renewTime = formatMicroTime(clock.nowMs());
      const spec = { holderIdentity: this.name, leaseDurationSeconds: 4, renewTime };
      try {
        await client(Lease)
          .patch({ name: this.name, namespace: leaseNamespace }, 'merge', { spec })
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
            return client(Lease).create({ metadata: { name: this.name, namespace: leaseNamespace }, spec });
          });
      } catch (error) {
        if (!isConflict(error)) this.#options.log.warn('cannot renew', { error });
      }
      await sleep(clock, leaseRenewMs, signal).catch(() => {});
    }
  }

  #see(pod: Pod): void {
    const { uid } = pod.metadata;
    const known = this.#pods.get(uid);
    if (known === undefined) {
      if (isTerminating(pod)) this.#power.run('forget', () => this.#confirmEnd(pod));
      else if (!isTerminal(pod)) {
        const running = {
          key: `${pod.metadata.namespace}/${pod.metadata.name}`,
          ready: false,
          ending: false,
        };
        this.#pods.set(uid, running);
        this.#power.run('start pod', (signal) => this.#start(pod, running, signal));
      }
    } else if (isTerminating(pod) && !known.ending) {
      known.ending = true;
      this.#power.run('end pod', (signal) => this.#end(pod, signal));
    } else if (known.ready && !known.ending && !saysReady(pod))
      // Somebody took the node for dead: it says what is true.
      this.#power.run('report pod', () => this.#report(pod, true));
  }

  async #start(pod: Pod, running: Running, signal: AbortSignal): Promise<void> {
    const { clock, readyAfterMs = () => 500 } = this.#options;
    const delayMs = readyAfterMs(pod);
    if (delayMs === undefined) {
      await this.#report(pod, false);
      return;
    }
    await sleep(clock, delayMs, signal);
    if (running.ending || !this.#pods.has(pod.metadata.uid)) return;
    running.ready = true;
    await this.#report(pod, true);
    const { restartPolicy } = pod.spec;
    for (let restarts = 1; ; restarts++) {
      const outcome = this.#options.outcome?.(pod);
      if (outcome === undefined || restartPolicy === 'Always') return;
      await sleep(clock, outcome.afterMs, signal);
      if (running.ending || !this.#pods.has(pod.metadata.uid)) return;
      if (outcome.exitCode === 0 || restartPolicy === 'Never') {
        await this.#finish(pod, outcome.exitCode);
        return;
      }
      await this.#reportContainers(pod, { restartCount: restarts, state: { running: {} }, ready: true });
    }
  }

  async #finish(pod: Pod, exitCode: number): Promise<void> {
    this.#pods.delete(pod.metadata.uid);
    const now = formatTime(this.#options.clock.nowMs());
    const phase = exitCode === 0 ? 'Succeeded' : 'Failed';
    const condition = (type: string) => ({ type, status: 'False', lastTransitionTime: now });
    const conditions = [condition('ContainersReady'), condition('Ready')];
    const state = { terminated: { exitCode, finishedAt: now } };
    await this.#reportContainers(pod, { restartCount: 0, state, ready: false }, { phase, conditions });
  }

  async #reportContainers(
    { metadata: { name, namespace, uid }, spec }: Pod,
    container: object,
    status: object = {},
  ): Promise<void> {
    const containerStatuses = spec.containers.map((c) => ({
      name: c.name,
      image: c.image,
      imageID: '',
      ...container,
    }));
    await this.#tell((client) =>
      client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', {
        metadata: { uid },
        status: { ...status, containerStatuses },
      }),
    );
  }

  async #end(pod: Pod, signal: AbortSignal): Promise<void> {
    await sleep(this.#options.clock, this.#options.endsAfterMs ?? 200, signal);
    this.#pods.delete(pod.metadata.uid);
    await this.#confirmEnd(pod);
  }

  async #confirmEnd({ metadata: { name, namespace, uid } }: Pod): Promise<void> {
    await this.#tell((client) =>
      client(Pod).delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } }),
    );
  }

  async #report({ metadata, status: before }: Pod, ready: boolean): Promise<void> {
    const now = formatTime(this.#options.clock.nowMs());
    const condition = (type: string, on: boolean) => ({
      type,
      status: on ? 'True' : 'False',
      lastTransitionTime: now,
    });
    const podIP = before?.podIP ?? `10.${this.#hash()}.0.${++this.#address}`;
    await this.#tell((client) =>
      client(Pod).patch(
        { name: metadata.name, namespace: metadata.namespace, subresource: 'status' },
        'strategic',
        {
          metadata: { uid: metadata.uid },
          status: {
            phase: 'Running',
            podIP,
            podIPs: [{ ip: podIP }],
            startTime: before?.startTime ?? now,
            conditions: [
              condition('Initialized', true),
              condition('ContainersReady', ready),
              condition('Ready', ready),
            ],
          },
        },
      ),
    );
  }

  /** What cannot be told while the server is away is told after the next `connect`, when the pod is seen again. */
  async #tell(call: (client: Client) => Promise<unknown>): Promise<void> {
    if (this.#client === null) return;
    try {
      await call(this.#client);
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  #hash(): number {
    let sum = 0;
    for (const char of this.name) sum = (sum * 31 + char.charCodeAt(0)) % 250;
    return sum + 1;
  }
}

const saysReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
