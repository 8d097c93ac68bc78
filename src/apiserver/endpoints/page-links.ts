// Links of pages that come through a proxy: `/style.css` means the proxied server's root, and must lead through the proxy again. Pure;
// only values of attributes that hold addresses change, everything else stays byte for byte.

/** Where a page came from, as its links may name it. */
export interface PageOrigin {
  /** `host:port` that was dialled. */
  readonly target: string;
  /** What the caller calls the API server. */
  readonly asked: string;
  /** The path up to and with `proxy`. */
  readonly prefix: string;
}

/** A link as the caller has to follow it. Links to other hosts, relative ones, and those that have the prefix stay. */
export function rewriteLink(link: string, { target, asked, prefix }: PageOrigin): string {
  const parsed = /^(?:[a-zA-Z][\w+.-]*:)?(?:\/\/([^/?#]*))?([^?#]*)/.exec(link);
  const host = parsed?.[1] ?? '';
  const path = parsed?.[2] ?? '';
  if (host !== '' && host !== target && host !== asked) return link;
  if (!path.startsWith('/')) return link;
  const whole = parsed![0];
  const before = host === asked ? whole.slice(0, whole.length - path.length) : '';
  const after = link.slice(whole.length);
  return `${before}${path.startsWith(prefix) ? '' : prefix}${path}${after}`;
}

/** Which attributes of which elements hold addresses. From HTML's tables of attributes. */
const addresses: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** What these hold is text until they end. */
const textElements = new Set([
  'iframe',
  'noembed',
  'noframes',
  'noscript',
  'script',
  'style',
  'textarea',
  'title',
  'xmp',
]);

/** The page with its links rewritten. One pass: time is linear in its length, whatever it holds. */
export function rewritePage(page: string, rewrite: (link: string) => string): string {
  let out = '';
  let copied = 0;
  let at = page.indexOf('<');
  while (at >= 0) {
    if (page.startsWith('<!--', at)) {
      const end = page.indexOf('-->', at + 4);
      if (end < 0) break;
      at = page.indexOf('<', end + 3);
      continue;
    }
    const element = nameAt(page, at + 1);
    if (element === '') {
      at = page.indexOf('<', at + 1);
      continue;
    }
    const wanted = addresses[element];
    const tag = readTag(page, at + 1 + element.length);
    if (tag === undefined) break;
    for (const { name, from, to } of tag.attributes) {
      if (wanted?.includes(name) !== true) continue;
      out += page.slice(copied, from) + rewrite(page.slice(from, to));
      copied = to;
    }
    at = textElements.has(element) ? endOfText(page, tag.end, element) : page.indexOf('<', tag.end);
  }
  return out + page.slice(copied);
}

/** The name of an element that begins here, in lower case. '' = none does. */
function nameAt(page: string, at: number): string {
  if (!/[a-zA-Z]/.test(page[at] ?? '')) return '';
  let end = at;
  while (end < page.length && !/[\s/>]/.test(page[end]!)) end++;
  return page.slice(at, end).toLowerCase();
}

/** Where `</element` begins. -1 = nowhere. */
function endOfText(page: string, from: number, element: string): number {
  const closing = new RegExp(`</${element}`, 'gi');
  closing.lastIndex = from;
  return closing.exec(page)?.index ?? -1;
}

/** A value lies at `from` until before `to`. */
interface Attribute {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** What stands between an element's name and its `>`. undefined = the page ends within. */
function readTag(page: string, start: number): { attributes: Attribute[]; end: number } | undefined {
  const attributes: Attribute[] = [];
  const part = /[\s/]*(?:(>)|([^\s/>=]+|=[^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"'][^\s>]*))?)?)/dy;
  part.lastIndex = start;
  for (let found = part.exec(page); found !== null; found = part.exec(page)) {
    if (found[1] !== undefined) return { attributes, end: part.lastIndex };
    const value = found.indices?.[3] ?? found.indices?.[4] ?? found.indices?.[5];
    if (value !== undefined) attributes.push({ name: found[2]!.toLowerCase(), from: value[0], to: value[1] });
  }
  return undefined;
}
