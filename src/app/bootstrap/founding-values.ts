// What every server of a cluster must be told alike: ranges and names that are in addresses, certificates and tokens already given out.
// The first server leaves its values in the datastore, beside what else servers share; one that was told others does not start. The
// choice: only what cannot differ without harm. Ports, timeouts and names of files may.
import type { Notes } from '../../storage/index.ts';
import { DatastoreError } from '../datastore.ts';

/** Flag by option. Their order is that of messages. */
const flags = {
  serviceCidr: '--service-cidr',
  clusterCidr: '--cluster-cidr',
  nodeCidrMaskSize: '--node-cidr-mask-size',
  nodeCidrMaskSizeIpv6: '--node-cidr-mask-size-ipv6',
  clusterDomain: '--cluster-domain',
} as const;

export type FoundingName = keyof typeof flags;
export type FoundingValues = Readonly<Record<FoundingName, string | number>>;

export interface FoundingOptions {
  readonly notes: Notes;
  /** For messages: `etcd under /jotasu`. */
  readonly place: string;
  /** How a person takes the values away, to choose others. */
  readonly forget: string;
  /** Those of this server; what else is in it is left alone. */
  readonly values: FoundingValues;
}

const note = 'founding';
const attempts = 5;
const names = Object.keys(flags) as FoundingName[];

/**
 * Afterwards the datastore has these values. Rejects with DatastoreError when it has others, with BackendUnavailable when it does not
 * answer. A value that no server has told yet (one of an older version was first) is added.
 */
export async function agreeOnFounding({ notes, place, forget, values }: FoundingOptions): Promise<void> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const stored = await notes.readNote(note);
    const founded = stored === undefined ? {} : parse(stored, place);
    const differing = planFounding(founded, values);
    if (differing.length > 0)
      throw new DatastoreError(
        `${differing.join('; ')}. All servers of a cluster need the same: start this one with the cluster's. ` +
          `To change them, stop all servers, forget what was agreed on (${forget}) and start the first one with the new values`,
      );
    if (names.every((name) => founded[name] !== undefined)) return;
    // What later versions have put there stays.
    const whole = { ...founded, ...Object.fromEntries(names.map((name) => [name, values[name]])) };
    if (await notes.replaceNote(note, { from: stored, to: Buffer.from(`${JSON.stringify(whole)}\n`) }))
      return;
  }
  throw new DatastoreError(
    `other servers change what was agreed on in ${place} again and again; try once more`,
  );
}

/** What differs, each as `FLAG is VALUE, and the cluster was founded with VALUE`. Pure. */
export function planFounding(
  founded: Readonly<Partial<Record<string, unknown>>>,
  values: FoundingValues,
): readonly string[] {
  return names.flatMap((name) =>
    founded[name] === undefined || usual(founded[name]) === usual(values[name])
      ? []
      : [`${flags[name]} is ${values[name]}, and the cluster was founded with ${String(founded[name])}`],
  );
}

/** Letters of domains and of IPv6 addresses are the same in both sizes. */
const usual = (value: unknown): string => String(value).toLowerCase().replaceAll(' ', '');

function parse(stored: Buffer, place: string): Record<string, unknown> {
  try {
    const values: unknown = JSON.parse(stored.toString('utf8'));
    if (typeof values === 'object' && values !== null && !Array.isArray(values))
      return values as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new DatastoreError(`what the servers agreed on in ${place} cannot be read`);
}
