// /livez, /readyz and /healthz: a list of named checks, each asked alone or all together, printed as kube-apiserver prints them.
// Why a check fails is told only to who asks for that check alone, which needs a name; everybody may ask for all.
import type { Log } from '../../base/index.ts';
import type { HttpResponse } from '../../http/index.ts';
import type { Query } from './query.ts';
import { sendText } from './respond.ts';

export interface HealthCheck {
  readonly name: string;
  /** undefined = well; else why not. Never rejects, and answers within seconds. */
  check(): string | undefined | Promise<string | undefined>;
}

/** The checks of each endpoint, in the order in which they are printed. */
export interface HealthChecks {
  readonly livez: readonly HealthCheck[];
  readonly readyz: readonly HealthCheck[];
  readonly healthz: readonly HealthCheck[];
}

export interface HealthRequest {
  readonly endpoint: keyof HealthChecks;
  /** The name of one check; '' = all. */
  readonly below: string;
  readonly query: Query;
}

/** Serves `/readyz`, `/readyz/NAME`, `?verbose` and `?exclude=NAME`. False = no check of that name. */
export async function serveHealth(
  response: HttpResponse,
  { endpoint, below, query }: HealthRequest,
  { checks, log }: { checks: HealthChecks; log: Log },
): Promise<boolean> {
  if (below !== '') {
    const one = checks[endpoint].find((c) => c.name === below);
    if (one === undefined) return false;
    const problem = await one.check();
    if (problem === undefined) sendText(response, 200, 'ok');
    else sendText(response, 500, `internal server error: ${problem}\n`);
    return true;
  }
  const excluded = new Set(query.getAll('exclude'));
  const asked = checks[endpoint].map(async ({ name, check }) =>
    excluded.has(name)
      ? { name, left: true, problem: undefined }
      : { name, left: false, problem: await check() },
  );
  let lines = '';
  let failed = false;
  for (const { name, left, problem } of await Promise.all(asked)) {
    if (left) {
      excluded.delete(name);
      lines += `[+]${name} excluded: ok\n`;
    } else if (problem === undefined) lines += `[+]${name} ok\n`;
    else {
      failed = true;
      lines += `[-]${name} failed: reason withheld\n`;
      log.info('health check failed', { endpoint, check: name, problem });
    }
  }
  if (excluded.size > 0) {
    const names = [...excluded].sort().map((name) => JSON.stringify(name));
    lines += `warn: some health checks cannot be excluded: no matches for ${names.join(',')}\n`;
  }
  if (failed) sendText(response, 500, `${lines}${endpoint} check failed\n`);
  else sendText(response, 200, query.has('verbose') ? `${lines}${endpoint} check passed\n` : 'ok');
  return true;
}
