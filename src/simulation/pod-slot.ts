// A pod's place on a simulated node: its run, when that is to be looked at next, and its message to the API server.
import { Pod } from '../api/index.ts';
import type { Client } from '../client/index.ts';
import { isConflict, isNotFound } from '../machinery/index.ts';
import { planStatusPatch } from '../node/index.ts';
import type { Appointment } from './agenda.ts';
import { Message } from './outbox.ts';
import type { PodRun } from './pod-run.ts';

export interface PodPost {
  readonly client: Client;
  nowMs(): number;
  /** Puts the message again after a while: the server did not answer. */
  retry(slot: PodSlot, error: unknown): void;
}

/** The node, as far as its pods' messages are concerned. */
export interface PodHost {
  readonly connected: boolean;
  readonly nodeIps: readonly string[];
  readonly pods: ReadonlyMap<string, unknown>;
}

export class PodSlot<Host extends PodHost = PodHost> extends Message {
  readonly run: PodRun;
  readonly node: Host;
  readonly #post: PodPost;
  timer: Appointment | null = null;
  /** Everything of it has ended, and it was deleted. */
  over = false;
  /** The API has been told so. */
  confirmed = false;

  constructor(run: PodRun, node: Host, post: PodPost) {
    super();
    this.run = run;
    this.node = node;
    this.#post = post;
  }

  /** Its status, if that has changed, and at the end the confirmation of its deletion. */
  async send(): Promise<void> {
    const { run, node } = this;
    // What cannot be told now is told when the node is heard again.
    if (!node.connected || this.confirmed || node.pods.get(run.uid) !== this) return;
    try {
      if (!this.over || this.#resultCounts) await this.#tellStatus();
      if (!this.over) return;
      this.confirmed = true;
      const { name, namespace, uid } = run.pod.metadata;
      await this.#post.client(Pod).delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      // Another pod of that name, or none: ours has ended for the API.
      if (isNotFound(error) || isConflict(error)) return;
      this.confirmed = false;
      this.#post.retry(this, error);
    }
  }

  /** Of a pod that runs for ever nobody asks how it ended; its deletion follows at once. */
  get #resultCounts(): boolean {
    const { spec, metadata } = this.run.pod;
    return spec.restartPolicy !== 'Always' || (metadata.finalizers?.length ?? 0) > 0;
  }

  async #tellStatus(): Promise<void> {
    const { run, node } = this;
    const status = run.status({ nowMs: this.#post.nowMs(), nodeIps: node.nodeIps });
    const patch = planStatusPatch(run.uid, run.pod.status, status);
    if (patch === undefined) return;
    const { name, namespace } = run.pod.metadata;
    // The informer brings what comes of it: a deletion in between must not be overlooked.
    await this.#post.client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', patch);
  }
}
