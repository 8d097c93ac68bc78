// Which names of a definition are accepted: those that no other definition of its group has taken before. Pure.
import type { apiextensionsV1, CustomResourceDefinition } from '../../api/index.ts';

type Names = apiextensionsV1.CustomResourceDefinitionNames;

export interface NamesVerdict {
  readonly names: Names;
  /** undefined = all of them are accepted. */
  readonly conflict: { readonly reason: string; readonly message: string } | undefined;
}

/** `others` are the other definitions of the same group. Names that are refused stay what they were. */
export function acceptNames(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
): NamesVerdict {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const { status } of others) {
    const { plural, singular, shortNames, kind, listKind } = status?.acceptedNames ?? ({} as Partial<Names>);
    for (const name of [plural, singular, ...(shortNames ?? [])]) if (name) resources.add(name);
    for (const name of [kind, listKind]) if (name) kinds.add(name);
  }
  const wanted = definition.spec.names;
  const held = definition.status?.acceptedNames ?? ({} as Partial<Names>);
  const names: Names = { ...held, plural: held.plural ?? '', kind: held.kind ?? '' };
  let conflict: NamesVerdict['conflict'];
  const refuse = (reason: string, taken: readonly string[]): void => {
    const each = taken.map((name) => `${JSON.stringify(name)} is already in use`);
    conflict = { reason, message: each.length > 1 ? `[${each.join(', ')}]` : each.join() };
  };
  for (const [field, reason, taken] of [
    ['plural', 'PluralConflict', resources],
    ['singular', 'SingularConflict', resources],
    ['kind', 'KindConflict', kinds],
    ['listKind', 'ListKindConflict', kinds],
  ] as const) {
    const name = wanted[field] ?? '';
    if (name !== held[field] && taken.has(name)) refuse(reason, [name]);
    else names[field] = name;
  }
  const short = wanted.shortNames ?? [];
  const clashing = short.filter((name) => !held.shortNames?.includes(name) && resources.has(name));
  if (clashing.length > 0) refuse('ShortNamesConflict', clashing);
  else setOrDrop(names, 'shortNames', short);
  setOrDrop(names, 'categories', wanted.categories ?? []);
  return { names, conflict };
}

function setOrDrop(names: Names, field: 'shortNames' | 'categories', value: readonly string[]): void {
  if (value.length > 0) names[field] = [...value];
  else delete names[field];
}
