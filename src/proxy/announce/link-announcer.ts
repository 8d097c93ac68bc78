// Answers on the node's links for the addresses of load balancers that name this node as theirs (see controllers/service-load-balancer):
// follows services, tells the kernel, and tells neighbours when an address has come here from another node.
import { announcedByAnnotation, Service } from '../../api/index.ts';
import { type Clock, type Log, Scope, sleep, unless } from '../../base/index.ts';
import type { Informers } from '../../client/index.ts';
import { applyLinks, CommandError, type Exec, planEmptyBridge, readLinks } from '../../os/index.ts';
import {
  type Announced,
  type Announcement,
  announcedAddresses,
  nowhere,
  parseProxies,
  parseRouted,
  placeOnLinks,
  planAnnouncements,
} from './plan-announcements.ts';

export interface LinkAnnouncerOptions {
  /** Of services; shared with others of the node. */
  readonly informers: Informers;
  readonly nodeName: string;
  readonly kernel: AnnouncerKernel;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is set beside routes and neighbours. */
export interface AnnouncerKernel {
  /** On this link the kernel is to answer for others, at once, and neighbours can be told of it. Idempotent. */
  prepareLink(link: string): void;
}

const batchMs = 10;
const retryMs = 1_000;
/** How often it is looked whether links or somebody else have changed. */
const checkMs = 30_000;

/** What was announced stays in the kernel when it is stopped: connections go on while an agent is replaced. */
export function startLinkAnnouncer(options: LinkAnnouncerOptions): { stop(): Promise<void> } {
  const scope = new Scope(options.log);
  const announcer = new LinkAnnouncer(options, scope);
  scope.run('announcements', (signal) => announcer.run(signal));
  return { stop: () => scope.stop() };
}

class LinkAnnouncer {
  readonly #options: LinkAnnouncerOptions;
  readonly #scope: Scope;
  /** An earlier agent may have announced what is not ours any more. */
  #dirty = true;
  #mayHave = true;
  #wake: (() => void) | undefined;
  #hasArping = true;

  constructor(options: LinkAnnouncerOptions, scope: Scope) {
    this.#options = options;
    this.#scope = scope;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { informers, clock, log } = this.#options;
    const services = informers(Service);
    try {
      await unless(signal, services.synced);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const look = (service: Service): void => {
      if (this.#isMine(service)) this.#change();
    };
    this.#scope.onStop(
      services.onChange({
        added: look,
        updated: (old, service) => look(this.#isMine(old) ? old : service),
        deleted: look,
      }),
    );
    while (!signal.aborted) {
      this.#dirty = false;
      try {
        await this.#bring();
      } catch (error) {
        if (signal.aborted) return;
        log.warn('cannot announce addresses of load balancers', { error });
        this.#dirty = true;
        await sleep(clock, retryMs, signal).catch(() => {});
        continue;
      }
      if (!this.#dirty) await this.#changed(signal);
      await sleep(clock, batchMs, signal).catch(() => {});
    }
  }

  #isMine({ metadata }: Service): boolean {
    return metadata.annotations?.[announcedByAnnotation] === this.#options.nodeName;
  }

  #change(): void {
    this.#dirty = true;
    this.#wake?.();
  }

  /** Until something changes; while there is something in the kernel, no longer than until the next check. */
  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#wake = undefined;
        timer?.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#mayHave ? this.#options.clock.after(checkMs, end) : undefined;
      this.#wake = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  async #bring(): Promise<void> {
    const { informers, exec, kernel, log } = this.#options;
    const mine = informers(Service)
      .list()
      .filter((service) => this.#isMine(service));
    const addresses = announcedAddresses(mine);
    if (addresses.length === 0 && !this.#mayHave) return;
    const links = await readLinks(exec);
    const own = links.find(({ name }) => name === nowhere);
    const want = placeOnLinks(addresses, links);
    if (own === undefined && want.length > 0) await applyLinks(exec, planEmptyBridge(nowhere));
    this.#mayHave = own !== undefined || want.length > 0;
    if (!this.#mayHave) return;
    const { lines, fresh } = planAnnouncements(want, await this.#read());
    for (const link of new Set(fresh.map((one) => one.link))) kernel.prepareLink(link);
    await applyLinks(exec, lines);
    if (lines.length > 0)
      log.info('announcing addresses of load balancers', {
        addresses: want.map(({ address, link }) => `${address} on ${link}`).join(),
      });
    for (const one of fresh) this.#scope.run('tell neighbours', () => this.#tell(one));
  }

  async #read(): Promise<Announced> {
    const { exec } = this.#options;
    const routes: string[] = [];
    const proxies: Announcement[] = [];
    for (const family of ['-4', '-6']) {
      const route = await exec.run(['ip', '-json', family, 'route', 'show', 'dev', nowhere], {
        mayFail: true,
      });
      routes.push(...parseRouted(route.stdout));
      const neighbours = await exec.run(['ip', '-json', family, 'neigh', 'show', 'proxy'], { mayFail: true });
      proxies.push(...parseProxies(neighbours.stdout));
    }
    return { routes, proxies };
  }

  /** Who remembers the node before this one learns of the change at once, instead of when it notices. IPv6 is left to notice. */
  async #tell({ address, link }: Announcement): Promise<void> {
    if (address.includes(':') || !this.#hasArping) return;
    const { exec, log } = this.#options;
    try {
      await exec.run(['arping', '-U', '-c', '2', '-w', '2', '-I', link, address], { timeoutMs: 5_000 });
    } catch (error) {
      this.#hasArping = !(error instanceof CommandError && error.code === 'missing');
      const why = this.#hasArping ? { error } : { missing: 'arping, of iputils-arping' };
      log.warn(
        'neighbours are not told that an address is here now: those who knew it elsewhere notice within a minute',
        why,
      );
    }
  }
}
