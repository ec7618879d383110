/**
 * A token scan for what needs no syntax tree. It only knows where strings and comments end, it never fails (what is not
 * closed reaches to the end of its line, or of the script for brackets), and it makes no object a token: it runs over
 * hostile bodies too.
 */

export type TokenKind = 'name' | 'string' | 'symbol';

export class TokenScanner {
  /** One character a byte. */
  readonly text: string;
  /** Numbers count as names, and every symbol is one character. */
  kind: TokenKind = 'symbol';
  start = 0;
  end = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Goes to the next token; false at the end. */
  next(): boolean {
    const start = this.#skipBlank(this.end);
    this.start = start;
    if (start >= this.text.length) return false;
    const first = this.text.charCodeAt(start);
    if (isWordCode(first)) {
      this.kind = 'name';
      this.end = this.#endOfWord(start);
    } else if (first === QUOTE || first === APOSTROPHE) {
      this.kind = 'string';
      this.end = this.#endOfQuoted(start, first);
    } else {
      const longEnd = first === BRACKET ? this.#endOfLongBracket(start) : -1;
      this.kind = longEnd > 0 ? 'string' : 'symbol';
      this.end = longEnd > 0 ? longEnd : start + 1;
    }
    return true;
  }

  is(word: string): boolean {
    return this.kind !== 'string' && this.end - this.start === word.length && this.text.startsWith(word, this.start);
  }

  /** Index of the next character that is neither white space nor part of a comment. */
  #skipBlank(from: number): number {
    let at = from;
    for (;;) {
      while (isBlankCode(this.text.charCodeAt(at))) at++;
      if (this.text.charCodeAt(at) !== DASH || this.text.charCodeAt(at + 1) !== DASH) return at;
      const isLong = this.text.charCodeAt(at + 2) === BRACKET;
      const longEnd = isLong ? this.#endOfLongBracket(at + 2) : -1;
      at = longEnd > 0 ? longEnd : this.#endOfLine(at);
    }
  }

  #endOfWord(start: number): number {
    let at = start + 1;
    while (isWordCode(this.text.charCodeAt(at))) at++;
    return at;
  }

  #endOfQuoted(start: number, quote: number): number {
    for (let at = start + 1; at < this.text.length; at++) {
      const code = this.text.charCodeAt(at);
      if (code === quote) return at + 1;
      if (code === BACKSLASH) at++;
      else if (code === LINE_FEED || code === CARRIAGE_RETURN) return at;
    }
    return this.text.length;
  }

  /** -1 when `[` begins no long bracket. */
  #endOfLongBracket(start: number): number {
    let at = start + 1;
    while (this.text.charCodeAt(at) === EQUALS) at++;
    if (this.text.charCodeAt(at) !== BRACKET) return -1;
    const closing = `]${this.text.slice(start + 1, at)}]`;
    const found = this.text.indexOf(closing, at + 1);
    return found < 0 ? this.text.length : found + closing.length;
  }

  #endOfLine(from: number): number {
    let at = from;
    while (at < this.text.length && !isLineBreak(this.text.charCodeAt(at))) at++;
    return at;
  }
}

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const DASH = 0x2d;
const EQUALS = 0x3d;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

function isLineBreak(code: number): boolean {
  return code === LINE_FEED || code === CARRIAGE_RETURN;
}

function isBlankCode(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

function isWordCode(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x5f;
}
