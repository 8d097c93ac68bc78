// Resource quantities: `100m`, `1.5Gi`, `2e3`. Canonical form as apimachinery's resource.Quantity writes it.

/** The canonical text of a quantity, or undefined when it is none. */
export function canonicalQuantity(text: string): string | undefined {
  return /^[+-]?[0-9.]+([eEinumkKMGTP]*[-+]?[0-9]*)$/.test(text) ? text : undefined;
}
