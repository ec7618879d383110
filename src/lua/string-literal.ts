/**
 * Decodes string literals from their source text. luaparse could do it, but only in encoding modes that take a string
 * whose content is a keyword for the keyword; so it is told to leave strings alone.
 */
import type { Expression } from './ast.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The bytes of a string literal, one character a byte; undefined for any other expression. */
export function stringOf(expression: Expression | undefined): string | undefined {
  return expression?.type === 'StringLiteral' ? decodeString(expression.raw) : undefined;
}

/** The value of a string literal as Lua 5.1 reads it; `raw` carries its quotes or brackets. */
export function decodeString(raw: string): string {
  if (raw.startsWith('[')) return decodeLongString(raw);
  const body = raw.slice(1, -1);
  if (!body.includes('\\')) return detached(body);
  return body.replaceAll(/\\(\d{1,3}|\r\n|\n\r|[\s\S])/g, (_, escaped: string) => {
    if (/^\d/.test(escaped)) return String.fromCharCode(Number(escaped));
    if (/^[\r\n]/.test(escaped)) return '\n';
    return ESCAPES[escaped] ?? escaped;
  });
}

/** A line break right behind the opening bracket does not count, and every line break is one `\n`. */
function decodeLongString(raw: string): string {
  const bracket = raw.indexOf('[', 1) + 1;
  const body = raw.slice(bracket, -bracket).replaceAll(/\r\n|\n\r|\r/g, '\n');
  return detached(body.startsWith('\n') ? body.slice(1) : body);
}

/**
 * The same bytes as a string of its own. V8 keeps the whole string alive that a piece was cut from; reports live long,
 * and must not hold the bodies they are about.
 */
export function detached(piece: string): string {
  return Buffer.from(piece, 'latin1').toString('latin1');
}
