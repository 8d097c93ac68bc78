// $(NAME) in commands, arguments and environment values: replaced when the variable is known, left as it is when not; $$ is a
// plain dollar. The grammar of Kubernetes' third_party/forked/golang/expansion.

export function expand(text: string, values: ReadonlyMap<string, string>): string {
  if (!text.includes('$')) return text;
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c !== '$' || i + 1 === text.length) {
      out += c;
      continue;
    }
    const next = text[i + 1]!;
    if (next === '$') {
      out += '$';
      i++;
    } else if (next === '(') {
      const close = text.indexOf(')', i + 2);
      if (close < 0) {
        // An operator that never ends is text.
        out += '$(';
        i++;
      } else {
        const name = text.slice(i + 2, close);
        out += values.get(name) ?? `$(${name})`;
        i = close;
      }
    } else {
      out += `$${next}`;
      i++;
    }
  }
  return out;
}
