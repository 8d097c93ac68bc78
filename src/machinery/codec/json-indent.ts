// JSON text for people: the same text with line breaks and two spaces a level. It works on the text, so that numbers and strings
// come out as they went in.

const lineBreaks: string[] = ['\n'];

function lineBreak(depth: number): string {
  while (lineBreaks.length <= depth) lineBreaks.push(`${lineBreaks[lineBreaks.length - 1]}  `);
  return lineBreaks[depth]!;
}

/** `text` is JSON without spaces between its tokens, as JSON.stringify makes it; a line break at its end is dropped. */
export function indentJson(text: string): string {
  let out = '';
  let copied = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') i = endOfString(text, i);
    else if (c === '{' || c === '[') {
      const next = text[i + 1];
      if (next === '}' || next === ']') i++;
      else {
        out += text.slice(copied, i + 1) + lineBreak(++depth);
        copied = i + 1;
      }
    } else if (c === '}' || c === ']') {
      out += text.slice(copied, i) + lineBreak(--depth);
      copied = i;
    } else if (c === ',') {
      out += text.slice(copied, i + 1) + lineBreak(depth);
      copied = i + 1;
    } else if (c === ':') {
      out += `${text.slice(copied, i + 1)} `;
      copied = i + 1;
    }
  }
  return out + text.slice(copied).trimEnd();
}

/** The index of the quote that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}
