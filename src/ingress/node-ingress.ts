// Ingress on one node: follows what ingresses refer to and keeps HAProxy as they ask. It runs only while there is an ingress of ours, so
// that a cluster without any has its ports 80 and 443 for others. Changes are gathered for a moment; each round plans everything anew and
// brings what differs.
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { EndpointSlice, Ingress, IngressClass, Service } from '../api/index.ts';
import { Backoff, type Clock, type Log, Scope, sleep } from '../base/index.ts';
import type { Client, Informers } from '../client/index.ts';
import { createCa, issueCertificate } from '../http/index.ts';
import type { Exec } from '../os/index.ts';
import { type Arrangement, arrange, planStep } from './arrangement.ts';
import { Haproxy } from './haproxy.ts';
import {
  certificateFileName,
  configFiles,
  defaultCertificateName,
  mapFileName,
  type ProxySettings,
} from './haproxy-config.ts';
import { type IngressView, planIngress, secretsNamed, servedIngresses } from './plan.ts';
import { SecretWatches } from './secret-watches.ts';

export interface NodeIngressOptions {
  readonly client: Client;
  /** Of services and endpoint slices, shared with others of the node; they must outlive this. */
  readonly informers: Informers;
  readonly settings: ProxySettings;
  readonly logFile: string;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  /** Told when requests begin or cease to be answered here. Called again when it rejects. */
  readonly announce: (serves: boolean) => Promise<void>;
}

export interface NodeIngress {
  /** Stops following. HAProxy goes on. */
  stop(): Promise<void>;
}

/** How long changes are gathered. */
const batchMs = 20;
/** Each start in place of an older process leaves that one to end what it has begun. */
const restartEveryMs = 500;
/** How often it is looked whether HAProxy lives. */
const checkMs = 2_000;
/** A node that is started with secrets it cannot read serves what it can. */
const secretsTimeoutMs = 5_000;
const certificateDays = 3650;
const hostname = 'ingress.local';

export function startNodeIngress(options: NodeIngressOptions): NodeIngress {
  const scope = new Scope(options.log);
  const ingress = new RunningIngress(options, scope);
  scope.run('ingress', (signal) => ingress.run(signal));
  return { stop: () => scope.stop() };
}

class RunningIngress {
  readonly #options: NodeIngressOptions;
  readonly #scope: Scope;
  readonly #haproxy: Haproxy;
  readonly #secrets: SecretWatches;
  #wakeUp: (() => void) | undefined;
  #changed = true;
  #now: Arrangement | undefined;
  #announced: boolean | undefined;
  #restartedMs = Number.NEGATIVE_INFINITY;
  #secretsSinceMs: number | undefined;
  #generation = 0;

  constructor(options: NodeIngressOptions, scope: Scope) {
    this.#options = options;
    this.#scope = scope;
    const { clock, log, client, settings } = options;
    mkdirSync(settings.directory, { recursive: true, mode: 0o700 });
    this.#haproxy = new Haproxy({ ...options, directory: settings.directory });
    this.#secrets = new SecretWatches({ client, scope, clock, log, onChange: () => this.#wake() });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { informers, clock, log } = this.#options;
    const backoff = new Backoff({ initialMs: 500, maxMs: 30_000 });
    for (const kind of [Ingress, IngressClass, Service, EndpointSlice] as const) {
      const informer = informers(kind as typeof Ingress);
      const changed = (): void => this.#wake();
      this.#scope.onStop(informer.onChange({ added: changed, updated: changed, deleted: changed }));
      await informer.synced;
    }
    while (!signal.aborted) {
      this.#changed = false;
      try {
        await this.#round(signal);
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        // Nobody knows what it has taken up: the next round tells it everything.
        this.#now = undefined;
        log.error('cannot bring ingresses to HAProxy, trying again', { error });
        await this.#announce(this.#haproxy.isRunning);
        await sleep(clock, backoff.nextMs(), signal).catch(() => {});
        continue;
      }
      if (!this.#changed) await this.#nextChange(signal);
      if (this.#changed) await sleep(clock, batchMs, signal).catch(() => {});
    }
  }

  #wake(): void {
    this.#changed = true;
    this.#wakeUp?.();
  }

  /** Or until it is time to look whether HAProxy lives. */
  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#wakeUp = undefined;
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#options.clock.after(checkMs, end);
      this.#wakeUp = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  async #round(signal: AbortSignal): Promise<void> {
    const view = this.#view();
    const served = servedIngresses(view.ingresses, view.classes);
    this.#secrets.follow(secretsNamed(served));
    if (served.length === 0) {
      this.#now = undefined;
      if (this.#haproxy.isRunning) await this.#haproxy.stop();
      await this.#announce(false);
      return;
    }
    if (this.#waitsForSecrets()) return;
    if (!this.#haproxy.isRunning) this.#now = undefined;
    const next = arrange(planIngress(view), this.#now);
    const step = planStep(this.#now, next);
    if (step.kind === 'restart') await this.#restart(next, signal);
    else if (step.kind === 'runtime') {
      const { runtime } = this.#haproxy;
      await runtime.setServers(step.commands);
      for (const name of step.maps) await runtime.replaceMap(this.#file(mapFileName(name)), next[name]);
      for (const { name, pem } of step.certificates)
        await runtime.replaceCertificate(this.#file(certificateFileName(name)), pem);
      // For a process that is started by somebody else, or after a crash.
      this.#haproxy.write(configFiles(next, this.#options.settings, this.#generationText));
    }
    this.#now = next;
    await this.#announce(true);
  }

  /** At the start a plan without certificates would take them from who has them already. */
  #waitsForSecrets(): boolean {
    const { clock } = this.#options;
    if (this.#secrets.hasSynced) {
      this.#secretsSinceMs = undefined;
      return false;
    }
    this.#secretsSinceMs ??= clock.monotonicMs();
    return clock.monotonicMs() - this.#secretsSinceMs < secretsTimeoutMs;
  }

  async #restart(next: Arrangement, signal: AbortSignal): Promise<void> {
    const { clock, settings, log } = this.#options;
    const waitMs = this.#restartedMs + restartEveryMs - clock.monotonicMs();
    if (waitMs > 0) await sleep(clock, waitMs, signal);
    this.#haproxy.write([{ name: defaultCertificateName, text: await this.#defaultCertificate() }]);
    this.#generation = clock.nowMs();
    await this.#haproxy.load(configFiles(next, settings, this.#generationText), this.#generationText);
    this.#restartedMs = clock.monotonicMs();
    log.info('HAProxy took up a new configuration', { backends: next.backends.length });
  }

  get #generationText(): string {
    return createHash('sha256').update(String(this.#generation)).digest('hex').slice(0, 16);
  }

  #certificate: Promise<string> | undefined;

  /** For who asks for a host that nobody has a certificate for. */
  #defaultCertificate(): Promise<string> {
    const make = async (): Promise<string> => {
      const nowMs = this.#options.clock.nowMs();
      const ca = await createCa({ commonName: 'jotasu ingress default', days: certificateDays, nowMs });
      const request = {
        commonName: hostname,
        dnsNames: [hostname],
        usage: 'server',
        days: certificateDays,
      } as const;
      const { cert, key } = await issueCertificate(ca, request, nowMs);
      return `${cert}${key}`;
    };
    return (this.#certificate ??= make());
  }

  #file(name: string): string {
    return join(this.#options.settings.directory, name);
  }

  #view(): IngressView {
    const { informers } = this.#options;
    const services = informers(Service);
    const slices = informers(EndpointSlice);
    return {
      ingresses: informers(Ingress).list(),
      classes: informers(IngressClass).list(),
      service: (namespace, name) => services.get(`${namespace}/${name}`),
      slices: (namespace, name) => slices.byIndex('byService', `${namespace}/${name}`),
      secret: (namespace, name) => this.#secrets.get(`${namespace}/${name}`),
    };
  }

  async #announce(serves: boolean): Promise<void> {
    if (this.#announced === serves) return;
    try {
      await this.#options.announce(serves);
      this.#announced = serves;
    } catch (error) {
      // The next round tells it again. Requests do not wait for that.
      if (!this.#scope.stopped)
        this.#options.log.warn('cannot tell whether ingresses are answered here', { error });
    }
  }
}
