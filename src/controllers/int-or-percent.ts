// Numbers that may be given as a percentage, such as maxUnavailable. Pure.

/** A number, or a percentage of `whole` rounded up or down. */
export function scaled(value: number | string | undefined, whole: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = Number.parseInt(value ?? '0', 10);
  const exact = (percent * whole) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
