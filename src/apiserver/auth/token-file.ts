// Reads kube-apiserver's --token-auth-file: CSV of `token,user,uid[,"group1,group2"]`, quoted as RFC 4180 says. Read once at the
// start; a file that cannot be understood stops the server instead of locking somebody out silently.
import type { UserInfo } from './attributes.ts';

/** The message names the line. */
export class TokenFileError extends Error {
  constructor(path: string, line: number, what: string) {
    super(`token file ${path}, line ${line}: ${what}`);
    this.name = 'TokenFileError';
  }
}

interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** Empty lines are skipped, as Go's reader does. `fail` throws. */
function parseCsv(text: string, fail: (line: number, what: string) => never): CsvRecord[] {
  const records: CsvRecord[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const start = line;
    const fields: string[] = [];
    for (;;) {
      if (text[at] === '"') {
        let value = '';
        at++;
        for (;;) {
          const quote = text.indexOf('"', at);
          if (quote < 0) fail(start, 'a quote is opened and never closed');
          const part = text.slice(at, quote);
          for (const c of part) if (c === '\n') line++;
          value += part;
          at = quote + 1;
          if (text[at] !== '"') break;
          value += '"';
          at++;
        }
        fields.push(value);
        if (text.startsWith('\r\n', at)) at++;
        if (at < text.length && text[at] !== ',' && text[at] !== '\n')
          fail(line, 'after a closing quote comes a comma or the end of the line');
      } else {
        let end = at;
        while (end < text.length && text[end] !== ',' && text[end] !== '\n') end++;
        let value = text.slice(at, end);
        if (text[end] !== ',' && value.endsWith('\r')) value = value.slice(0, -1);
        if (value.includes('"')) fail(line, 'a quote stands in the middle of a field that is not quoted');
        fields.push(value);
        at = end;
      }
      if (text[at] !== ',') break;
      at++;
    }
    at++;
    line++;
    if (fields.length > 1 || fields[0] !== '') records.push({ line: start, fields });
  }
  return records;
}

/** Users by token. A token given twice, or an empty one, is an error: whom it stands for would be a guess. */
export function parseTokenFile(path: string, text: string): ReadonlyMap<string, UserInfo> {
  const fail = (line: number, what: string): never => {
    throw new TokenFileError(path, line, what);
  };
  const users = new Map<string, UserInfo>();
  for (const { line, fields } of parseCsv(text, fail)) {
    const [token, name, uid, groups] = fields;
    if (token === undefined || name === undefined || uid === undefined)
      return fail(line, `at least 3 columns are needed (token, user name, user uid), found ${fields.length}`);
    if (token === '') return fail(line, 'the token is empty');
    if (name === '') return fail(line, 'the user name is empty');
    if (users.has(token)) return fail(line, 'this token was given on a line above already');
    users.set(token, { name, uid, groups: (groups ?? '').split(',').filter((g) => g !== '') });
  }
  return users;
}
