// Files of variables that containers take values from (fileKeyRef): KEY=value a line, # begins a comment, and a value in single quotes
// is taken as it stands. Pure.

/** By name; of two lines for one name the first counts. */
export function parseEnvFile(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const found = /^\s*([^=#\s][^=#]*)=(.*)$/.exec(line);
    if (found === null) continue;
    const [, name = '', rest = ''] = found;
    if (!values.has(name)) values.set(name, textOf(rest));
  }
  return values;
}

function textOf(text: string): string {
  const quoted = /^'([^']*)'\s*(?:#.*)?$/.exec(text);
  return quoted === null ? text.replace(/#.*$/, '') : quoted[1]!;
}
