// Every built-in kind, in the order in which discovery lists them. Adding a kind = its file and one line here.
import type { KindDef } from '../machinery/index.ts';

export const kinds: readonly KindDef[] = [];
