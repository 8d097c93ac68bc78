// What a connection is asked to be, as admission sees it: the query as an options object, and back, since admission may change it. Pure.
import type { ConnectOptions } from '../admission/admission.ts';
import { flag, type Query } from './query.ts';

type Form = 'bool' | 'text' | 'texts' | 'numbers';
type Forms = Readonly<Record<string, Form>>;

const session: Forms = { stdin: 'bool', stdout: 'bool', stderr: 'bool', tty: 'bool', container: 'text' };
const proxied: Forms = { path: 'text' };

const forms: Readonly<Record<string, Forms>> = {
  PodAttachOptions: session,
  PodExecOptions: { ...session, command: 'texts' },
  PodPortForwardOptions: { ports: 'numbers' },
  NodeProxyOptions: proxied,
  PodProxyOptions: proxied,
  ServiceProxyOptions: proxied,
};

/** Where the options come from: `rest` is what of the path is for the other side. */
export interface Asking {
  readonly query: Query;
  readonly rest: string;
}

/** The options of a kind that Kubernetes knows. What is false or empty is left out, as there. */
export function connectOptions(kind: string, { query, rest }: Asking): ConnectOptions {
  const out: ConnectOptions = { kind, apiVersion: 'v1' };
  for (const [name, form] of Object.entries(forms[kind] ?? {})) {
    const value = forms[kind] === proxied ? rest : read(query, name, form);
    if (value !== undefined && value !== '') out[name] = value;
  }
  return out;
}

function read(query: Query, name: string, form: Form): unknown {
  if (form === 'bool') return flag(query, name) === true ? true : undefined;
  if (form === 'text') return query.get(name) ?? undefined;
  const all = query.getAll(name);
  if (all.length === 0) return undefined;
  return form === 'texts' ? all : all.flatMap((one) => one.split(',').map(Number));
}

/** What is asked now that admission has seen the options; a query's other parameters are for the other side, and stay. */
export function askingOf(options: ConnectOptions, { query, rest }: Asking): Asking {
  const known = forms[options.kind] ?? {};
  if (known === proxied) return { query, rest: typeof options['path'] === 'string' ? options['path'] : '' };
  const next = new URLSearchParams(query);
  for (const name of Object.keys(known)) {
    next.delete(name);
    const value = options[name];
    if (value === undefined || value === null || value === false || value === '') continue;
    for (const one of Array.isArray(value) ? value : [value]) next.append(name, String(one));
  }
  return { query: next, rest };
}
