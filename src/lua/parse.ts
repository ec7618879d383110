/**
 * Body → syntax tree, by luaparse. It never throws: a body that luaparse refuses, for whatever reason, is the node's
 * to judge. The body is read as latin1, so that offsets are bytes, and what Lua accepts and luaparse does not is replaced
 * by as many characters: the `;` behind a `break`, and `0x1F..`, where luaparse takes the dot for a fraction.
 */
import { parse } from 'luaparse';
import type { Chunk } from './ast.ts';
import { TokenScanner } from './tokens.ts';

/** Takes luaparse about 40 ms, which holds up every client; the largest script known has 7,000. */
export const MAX_TOKENS = 30_000;

const HEXADECIMAL = /^0x[\da-f]+$/i;
const MAY_NEED_PREPARING = /\bbreak\b|\b0x[\da-f]+\.\./i;

export type ParseResult =
  | { readonly kind: 'parsed'; readonly chunk: Chunk }
  /** luaparse refuses it. */
  | { readonly kind: 'failed' }
  /** It has more than MAX_TOKENS tokens. */
  | { readonly kind: 'too-long' };

/** Parses a text of one character a byte. */
export function parseScript(text: string): ParseResult {
  if (isTooLong(text)) return { kind: 'too-long' };
  try {
    const chunk = parse(prepared(text), {
      luaVersion: '5.1',
      encodingMode: 'none',
      comments: false,
      ranges: true,
    });
    return { kind: 'parsed', chunk };
  } catch {
    // A SyntaxError, or a RangeError for nesting that Lua's parser would refuse as well (its limit is 200).
    return { kind: 'failed' };
  }
}

function isTooLong(text: string): boolean {
  if (text.length <= MAX_TOKENS) return false;
  const scanner = new TokenScanner(text);
  let count = 0;
  while (count <= MAX_TOKENS && scanner.next()) count++;
  return count > MAX_TOKENS;
}

function prepared(text: string): string {
  if (!MAY_NEED_PREPARING.test(text)) return text;
  let result = '';
  let copied = 0;
  let isAfterBreak = false;
  const scanner = new TokenScanner(text);
  while (scanner.next()) {
    const replacement = isAfterBreak && scanner.is(';') ? ' ' : decimalOf(scanner);
    if (replacement !== undefined) {
      result += text.slice(copied, scanner.start) + replacement;
      copied = scanner.end;
    }
    isAfterBreak = scanner.is('break');
  }
  return result + text.slice(copied);
}

/** The number of `0x1F..` in decimal, and blanks (it is shorter up to eight digits); undefined for any other token. */
function decimalOf({ text, start, end }: TokenScanner): string | undefined {
  if (!text.startsWith('..', end)) return undefined;
  const word = text.slice(start, end);
  const decimal = HEXADECIMAL.test(word) ? String(Number(word)) : undefined;
  return decimal !== undefined && decimal.length < word.length ? decimal.padEnd(word.length) : undefined;
}
