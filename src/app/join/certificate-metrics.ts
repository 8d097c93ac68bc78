// The certificates of a node under the kubelet's names: how long they are good for, and how often they could not be replaced.
import { X509Certificate } from 'node:crypto';
import type { Clock, Counter, Gauge, Histogram, MetricRegistry } from '../../base/index.ts';
import type { CertificateName } from './certificate-store.ts';

interface Shown {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const names = {
  client: {
    ttl: 'kubelet_certificate_manager_client_ttl_seconds',
    errors: 'kubelet_certificate_manager_client_expiration_renew_errors',
  },
  serving: {
    ttl: 'kubelet_certificate_manager_server_ttl_seconds',
    errors: 'kubelet_server_expiration_renew_errors',
  },
} as const;

const [hour, day] = [3600, 86_400];

export class CertificateMetrics {
  readonly #registry: MetricRegistry;
  readonly #clock: Clock;
  readonly #shown = new Map<CertificateName, Shown>();
  readonly #errors = new Map<CertificateName, Counter>();
  #ages: Histogram | null = null;

  constructor(registry: MetricRegistry, clock: Clock) {
    this.#registry = registry;
    this.#clock = clock;
  }

  /** This certificate is in use from now on. PEM. */
  use(name: CertificateName, cert: string): void {
    if (!this.#shown.has(name)) this.#showLeft(name);
    const { validFrom, validTo } = new X509Certificate(cert);
    this.#shown.set(name, { notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) });
  }

  /** From now on it is replaced before it ends. */
  keeps(name: CertificateName): void {
    this.#errors.set(
      name,
      this.#registry
        .counter({ name: names[name].errors, help: 'How often a new certificate could not be had.' })
        .of(),
    );
    if (name === 'client') return;
    this.#ages = this.#registry
      .histogram({
        name: 'kubelet_certificate_manager_server_rotation_seconds',
        help: 'How old serving certificates were when they were replaced.',
        buckets: [60, hour, 4 * hour, day, 7 * day, 30 * day, 90 * day, 180 * day, 360 * day, 1440 * day],
      })
      .of();
  }

  /** It could not be replaced this time. */
  failed(name: CertificateName): void {
    this.#errors.get(name)?.increment();
  }

  replaced(name: CertificateName, cert: string): void {
    const before = this.#shown.get(name);
    if (name === 'serving' && before !== undefined)
      this.#ages?.observe((this.#clock.nowMs() - before.notBeforeMs) / 1000);
    this.use(name, cert);
  }

  #showLeft(name: CertificateName): void {
    const left: Gauge = this.#registry
      .gauge({
        name: names[name].ttl,
        help: 'For how long the certificate is good; below 0 once it has ended.',
      })
      .of();
    this.#registry.onRead(() => {
      const { notAfterMs } = this.#shown.get(name)!;
      left.set(Math.trunc((notAfterMs - this.#clock.nowMs()) / 1000));
    });
  }
}
