// /livez, /readyz and /healthz: a list of named checks, each asked alone or all together, printed as kube-apiserver prints them.
import type { HttpResponse } from '../../http/index.ts';
import type { Query } from './query.ts';
import { sendText } from './respond.ts';

export interface HealthCheck {
  readonly name: string;
  /** undefined = well; else why not */
  check(): string | undefined;
}

interface HealthRequest {
  readonly endpoint: string;
  /** The name of one check; '' = all. */
  readonly below: string;
  readonly query: Query;
}

/** Serves `/readyz`, `/readyz/NAME`, `?verbose` and `?exclude=NAME`. False = no check of that name. */
export function serveHealth(
  response: HttpResponse,
  { endpoint, below, query }: HealthRequest,
  checks: readonly HealthCheck[],
): boolean {
  if (below !== '') {
    const one = checks.find((c) => c.name === below);
    if (one === undefined) return false;
    const problem = one.check();
    if (problem === undefined) sendText(response, 200, 'ok');
    else sendText(response, 500, `internal server error: ${problem}\n`);
    return true;
  }
  const excluded = new Set(query.getAll('exclude'));
  let lines = '';
  let failed = false;
  for (const { name, check } of checks) {
    if (excluded.delete(name)) {
      lines += `[+]${name} excluded: ok\n`;
      continue;
    }
    const problem = check();
    if (problem === undefined) lines += `[+]${name} ok\n`;
    else {
      failed = true;
      lines += `[-]${name} failed: reason withheld\n`;
    }
  }
  if (excluded.size > 0) {
    const names = [...excluded].map((name) => JSON.stringify(name)).join(',');
    lines += `warn: some health checks cannot be excluded: no matches for ${names}\n`;
  }
  if (failed) sendText(response, 500, `${lines}${endpoint} check failed\n`);
  else sendText(response, 200, query.has('verbose') ? `${lines}${endpoint} check passed\n` : 'ok');
  return true;
}
