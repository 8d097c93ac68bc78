// nftables through `nft -f -`: each call is one transaction of the kernel, which takes effect whole or not at all.
import type { Exec } from './exec.ts';

export async function applyRuleset(exec: Exec, text: string): Promise<void> {
  await exec.run(['nft', '-f', '-'], { input: text, timeoutMs: 20_000 });
}

/** Replaces a table as a whole. nft has no such word: an add that may be a no-op, a delete, and the new table. */
export function planTable(family: 'ip' | 'ip6' | 'inet', name: string, chains: readonly string[]): string {
  const table = `${family} ${name}`;
  return [`add table ${table}`, `delete table ${table}`, `table ${table} {`, ...chains, '}', ''].join('\n');
}

/** Removes a table; none is fine. */
export async function removeTable(exec: Exec, family: 'ip' | 'ip6' | 'inet', name: string): Promise<void> {
  await applyRuleset(exec, `add table ${family} ${name}\ndelete table ${family} ${name}\n`);
}

export async function tableExists(exec: Exec, family: 'ip' | 'ip6' | 'inet', name: string): Promise<boolean> {
  return (await exec.run(['nft', 'list', 'table', family, name], { mayFail: true })).code === 0;
}

/** The tables there are: `ip jotasu-node`. Unlike `tableExists` it costs the same however large they are. */
export async function readTables(exec: Exec): Promise<ReadonlySet<string>> {
  const { stdout } = await exec.run(['nft', 'list', 'tables'], { timeoutMs: 20_000 });
  const named = (line: string): string[] =>
    line.startsWith('table ') ? [line.slice('table '.length).trim()] : [];
  return new Set(stdout.split('\n').flatMap(named));
}

export interface BaseChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook: string;
  readonly policy: string;
}

/** Chains that hang on a hook, of `nft --json list chains`. */
export function parseBaseChains(json: string): BaseChain[] {
  const { nftables = [] } = JSON.parse(json) as { nftables?: { chain?: Record<string, string> }[] };
  return nftables.flatMap(({ chain }) =>
    chain?.['hook'] === undefined
      ? []
      : [
          {
            family: chain['family']!,
            table: chain['table']!,
            name: chain['name']!,
            hook: chain['hook'],
            policy: chain['policy'] ?? 'accept',
          },
        ],
  );
}

export async function readBaseChains(exec: Exec): Promise<BaseChain[]> {
  return parseBaseChains((await exec.run(['nft', '--json', 'list', 'chains'])).stdout);
}

/** Whether the kernel would take these commands; nothing is changed. */
export async function acceptsRuleset(exec: Exec, text: string): Promise<boolean> {
  return (
    (await exec.run(['nft', '-c', '-f', '-'], { input: text, timeoutMs: 20_000, mayFail: true })).code === 0
  );
}

export interface TimedElement {
  readonly key: string;
  /** Seconds until the kernel forgets it. */
  readonly expires: number;
}

/** What the sets of a table that have a time limit hold, by name of the set; of `nft --json list sets FAMILY`. */
export function parseTimedSets(json: string, table: string): Map<string, TimedElement[]> {
  const { nftables = [] } = JSON.parse(json) as { nftables?: { set?: ListedSet }[] };
  const found = new Map<string, TimedElement[]>();
  for (const { set } of nftables) {
    if (set === undefined || set.table !== table || set.timeout === undefined) continue;
    const elements = (set.elem ?? []).flatMap((entry) => {
      const { val, expires } = typeof entry === 'object' ? entry.elem : { val: entry, expires: undefined };
      return typeof val === 'string' && expires !== undefined ? [{ key: val, expires }] : [];
    });
    found.set(set.name, elements);
  }
  return found;
}

interface ListedSet {
  readonly name: string;
  readonly table: string;
  readonly timeout?: number;
  readonly elem?: readonly (
    | string
    | { readonly elem: { readonly val: unknown; readonly expires?: number } }
  )[];
}

/** Empty when the table is not there. */
export async function readTimedSets(
  exec: Exec,
  family: 'ip' | 'ip6',
  table: string,
): Promise<Map<string, TimedElement[]>> {
  const { code, stdout } = await exec.run(['nft', '--json', 'list', 'sets', family], {
    timeoutMs: 20_000,
    mayFail: true,
  });
  return code === 0 ? parseTimedSets(stdout, table) : new Map();
}
