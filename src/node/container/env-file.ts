// Files of variables that containers take values from (fileKeyRef): a small part of what a shell reads, KEY='value', where everything
// between the quotes counts as it stands, line ends too. Pure.

/** A value that was found, or why the file cannot be read so far; neither = the file has no such key. */
export interface EnvFileValue {
  readonly value?: string;
  /** In the kubelet's words. */
  readonly error?: string;
}

const lineEnd = /\r?\n/;

/**
 * Reads as far as the first line that sets `key`: what comes after it is not judged. A blank after the `=` makes the value empty, as in
 * a shell. The format is that of KEP-3721 from 1.35 on.
 */
export function envFileValue(text: string, key: string): EnvFileValue {
  const lines = text.split(lineEnd);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!.replace(/^[ \t]+/, '');
    if (line === '' || line.startsWith('#')) continue;
    const refuse = (why: string) => ({
      error: `invalid environment variable format at line ${at + 1}: ${why}`,
    });
    const [, name, blank = '', given = ''] = /^([^=]*)=([ \t]*)(.*)$/.exec(line) ?? [];
    if (name === undefined) return refuse("missing '='");
    if (/^[ \t]*$/.test(name)) return refuse('empty variable name');
    if (/[ \t]$/.test(name)) return refuse("whitespace before '=' is not allowed");
    if (blank !== '') {
      if (name === key) return { value: '' };
      continue;
    }
    if (!given.startsWith("'")) return refuse('value must be enclosed in single quotes');
    const begun = at;
    let value = given.slice(1);
    while (!value.includes("'")) {
      const next = lines[++at];
      // What follows the last line end is no line.
      if (next === undefined || (next === '' && at === lines.length - 1))
        return {
          error: `invalid environment variable format starting at line ${begun + 1}: unclosed single quote`,
        };
      value += `\n${next}`;
    }
    const end = value.indexOf("'");
    if (!/^[ \t]*(?:#.*)?$/.test(value.slice(end + 1)))
      return refuse('unexpected content after closing quote');
    if (name === key) return { value: value.slice(0, end) };
  }
  return {};
}
