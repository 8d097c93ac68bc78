// A duration for people, as Go prints one rounded to milliseconds: `1.234s`, `532ms`, `2m10s`.

export function humanSpan(ms: number): string {
  const whole = Math.round(ms);
  if (whole < 1000) return `${whole}ms`;
  const minutes = Math.floor(whole / 60_000);
  const seconds = (whole % 60_000) / 1000;
  const hours = Math.floor(minutes / 60);
  const text = `${Number(seconds.toFixed(3))}s`;
  if (hours > 0) return `${hours}h${minutes % 60}m${text}`;
  return minutes > 0 ? `${minutes}m${text}` : text;
}
