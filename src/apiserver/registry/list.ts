// List: a snapshot of a collection, in pages when asked, with Kubernetes' meanings of resourceVersion. HOT: bench/api.ts.
import { Pause } from '../../base/index.ts';
import { badRequest, expired, parseJson, tooLargeResourceVersion } from '../../machinery/index.ts';
import { Compacted, compareKeys, type Entry } from '../../storage/index.ts';
import { type Place, parseRevision, type RegistryCore, storageFailure } from './core.ts';
import { type Selection, select, selected } from './selection.ts';
import { allInVersion } from './translated.ts';

export interface ListOptions {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
}

export interface ListAnswer {
  /** In key order. Shared: do not change. */
  readonly entries: readonly Entry[];
  readonly revision: number;
  readonly continue: string | undefined;
  readonly remaining: number | undefined;
}

/** How long a read waits for a revision that this server has not seen yet. */
const freshnessTimeoutMs = 3000;

/** Waits until the cache can answer for `resourceVersion`; unset means: at least as new as any answered write anywhere. */
export async function waitForFreshness(
  core: RegistryCore,
  resourceVersion: string | undefined,
): Promise<void> {
  if (resourceVersion === undefined || resourceVersion === '') {
    try {
      await core.store.catchUp();
    } catch (error) {
      throw storageFailure(error);
    }
    return;
  }
  const wanted = parseRevision(resourceVersion);
  if (wanted <= core.store.revision) return;
  const abort = new AbortController();
  const timer = core.clock.after(freshnessTimeoutMs, () => abort.abort());
  try {
    await core.store.waitFor(wanted, abort.signal);
  } catch {
    throw tooLargeResourceVersion(wanted, core.store.revision);
  } finally {
    timer.cancel();
  }
}

export async function list(
  core: RegistryCore,
  at: Pick<Place, 'kind' | 'namespace'>,
  options: ListOptions,
): Promise<ListAnswer> {
  checkOptions(options);
  const selection = select(at.kind, at.namespace, options);
  const limit = options.limit ?? 0;
  let revision: number;
  let entries: readonly Entry[];
  let start = 0;
  if (options.continue !== undefined && options.continue !== '') {
    const token = readToken(options.continue);
    // A token without a revision continues on the newest state: the "inconsistent continue" of a 410.
    await waitForFreshness(core, token.revision === 0 ? undefined : String(token.revision));
    revision = token.revision === 0 ? core.store.revision : token.revision;
    entries =
      token.revision === 0
        ? core.store.list(selection.prefix)
        : snapshot(core, selection.prefix, revision, token.after);
    start = firstAfter(entries, token.after);
  } else {
    const exact = exactRevision(options);
    await waitForFreshness(core, options.resourceVersion);
    revision = exact === 0 ? core.store.revision : exact;
    entries =
      exact === 0 ? core.store.list(selection.prefix) : snapshot(core, selection.prefix, exact, undefined);
  }
  // What is selected follows from the version that is shown; where nothing is, only the page is made.
  if (at.kind.translation !== null && selection.test !== null) entries = await allInVersion(at.kind, entries);
  if (limit <= 0 && start === 0 && selection.test === null)
    return {
      entries: await allInVersion(at.kind, entries),
      revision,
      continue: undefined,
      remaining: undefined,
    };
  const found = await page(core, { entries, revision, selection }, { start, limit });
  if (at.kind.translation === null || selection.test !== null) return found;
  return { ...found, entries: await allInVersion(at.kind, found.entries) };
}

interface Snapshot {
  readonly entries: readonly Entry[];
  readonly revision: number;
  readonly selection: Selection;
}

/** At most `limit` (0 = all) selected entries from the index `start` on. Looks at them in slices of time. */
async function page(
  { clock }: RegistryCore,
  { entries, revision, selection }: Snapshot,
  { start, limit }: { start: number; limit: number },
): Promise<ListAnswer> {
  const out: Entry[] = [];
  const pause = new Pause(clock);
  for (let i = start; i < entries.length; i++) {
    if ((i & 63) === 63 && pause.due) await pause.now();
    const entry = entries[i]!;
    if (!selected(selection, entry)) continue;
    if (limit > 0 && out.length === limit) {
      const last = out[out.length - 1]!;
      return {
        entries: out,
        revision,
        continue: writeToken(revision, last.key),
        // With a selector nobody knows how many are left without looking at them all.
        remaining: selection.test === null ? entries.length - i : undefined,
      };
    }
    out.push(entry);
  }
  return { entries: out, revision, continue: undefined, remaining: undefined };
}

function checkOptions({ resourceVersion: version, ...options }: ListOptions): void {
  if (options.continue && version !== undefined && version !== '' && version !== '0')
    throw badRequest('specifying resource version is not allowed when using continue');
}

/** The revision that the answer must be of; 0 = any that is new enough. A page at a named version means exactly that version. */
function exactRevision({ resourceVersion, resourceVersionMatch, limit }: ListOptions): number {
  const exact =
    resourceVersionMatch === 'Exact' || (!resourceVersionMatch && limit !== undefined && limit > 0);
  return exact ? parseRevision(resourceVersion ?? '') : 0;
}

function snapshot(
  core: RegistryCore,
  prefix: string,
  revision: number,
  after: string | undefined,
): readonly Entry[] {
  try {
    return core.store.listAt(prefix, revision);
  } catch (error) {
    if (!(error instanceof Compacted)) throw error;
    if (after === undefined) throw expired(`The resourceVersion for the provided list is too old.`);
    const goOn = expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    );
    throw new InconsistentContinue(goOn.message, writeToken(0, after));
  }
}

/** 410 that carries, in its list metadata, a token with which the caller may go on over the newest state. */
export class InconsistentContinue extends Error {
  readonly token: string;
  constructor(message: string, token: string) {
    super(message);
    this.token = token;
  }
}

const tokenVersion = 'meta.k8s.io/v1';

const writeToken = (revision: number, after: string): string =>
  Buffer.from(JSON.stringify({ v: tokenVersion, rv: revision, start: after })).toString('base64url');

function readToken(token: string): { revision: number; after: string } {
  const refuse = (why: string) => badRequest(`invalid continue token: continue key is not valid: ${why}`);
  const odd = token.search(/[^A-Za-z0-9_-]/);
  if (odd >= 0) throw refuse(`illegal base64 data at input byte ${odd}`);
  const parsed = parseJson(Buffer.from(token, 'base64url').toString('utf8'));
  if (!parsed.ok) throw refuse(parsed.error);
  const { v, rv, start } = (parsed.value ?? {}) as { v?: unknown; rv?: unknown; start?: unknown };
  if (v !== tokenVersion)
    throw refuse(`server does not recognize this encoded version ${JSON.stringify(v ?? '')}`);
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv < 0)
    throw refuse(`incorrect encoded start resourceVersion (version ${tokenVersion})`);
  if (typeof start !== 'string' || start === '')
    throw refuse(`encoded start key empty (version ${tokenVersion})`);
  return { revision: rv, after: start };
}

/** The index of the first entry whose key sorts after `key`. */
function firstAfter(entries: readonly Entry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (compareKeys(entries[mid]!.key, key) <= 0) low = mid + 1;
    else high = mid;
  }
  return low;
}
