// Counts in a status. Pure.

/** Zeros are left out, as the server leaves them out: else a status that says the same would look different from what is stored. */
export function nonZero<T extends Record<string, number>>(counts: T): Partial<T> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)) as Partial<T>;
}
