/**
 * Inline requests: a line of words as a person types it into telnet, with redis-cli's quoting
 * (`sdssplitargs` in Redis's sds.c). They are rewritten as multibulk before anything else sees them.
 */
import type { Request } from './request.ts';

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;
const ESCAPES: Readonly<Record<number, number>> = { 110: 0x0a, 114: 0x0d, 116: 0x09, 98: 0x08, 97: 0x07 };

/** The words of a line (without its line end; a NUL ends it); undefined when the quotes do not balance. */
export function splitInline(bytes: Uint8Array): Buffer[] | undefined {
  const words: Buffer[] = [];
  const nul = bytes.indexOf(0);
  const line = nul < 0 ? bytes : bytes.subarray(0, nul);
  let at = skipBlanks(line, 0);
  while (at < line.length) {
    const word: number[] = [];
    at = readWord(line, at, word);
    if (at < 0) return undefined;
    words.push(Buffer.from(word));
    at = skipBlanks(line, at);
  }
  return words;
}

/** Fills the request with the words as one multibulk frame of its own. */
export function encodeInline(words: readonly Buffer[], request: Request): void {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  const crlf = Buffer.from('\r\n');
  let at = parts[0]?.length ?? 0;
  request.clear();
  for (const word of words) {
    const header = Buffer.from(`$${word.length}\r\n`);
    parts.push(header, word, crlf);
    request.add(at + header.length, at + header.length + word.length);
    at += header.length + word.length + 2;
  }
  request.bytes = Buffer.concat(parts, at);
  request.start = 0;
  request.end = at;
}

/** Reads one word from `at` into `word`; the index behind it, -1 when a quote is not closed or is followed by text. */
function readWord(line: Uint8Array, from: number, word: number[]): number {
  let at = from;
  while (at < line.length) {
    const byte = line[at] as number;
    if (endsWord(byte)) return at;
    if (byte === QUOTE || byte === APOSTROPHE) {
      at = byte === QUOTE ? readQuoted(line, at + 1, word) : readApostrophed(line, at + 1, word);
      if (at < 0 || (at < line.length && !isBlank(line[at] as number))) return -1;
      return at;
    }
    word.push(byte);
    at++;
  }
  return at;
}

/** Inside "…": escapes \xHH, \n, \r, \t, \b, \a, and \ before any other byte. */
function readQuoted(line: Uint8Array, from: number, word: number[]): number {
  let at = from;
  while (at < line.length) {
    const byte = line[at] as number;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH && at + 1 < line.length) {
      at = readEscape(line, at + 1, word);
    } else {
      word.push(byte);
      at++;
    }
  }
  return -1;
}

function readEscape(line: Uint8Array, at: number, word: number[]): number {
  const byte = line[at] as number;
  const hex = byte === 0x78 ? String.fromCharCode(...line.subarray(at + 1, at + 3)) : '';
  if (/^[0-9a-fA-F]{2}$/.test(hex)) {
    word.push(Number.parseInt(hex, 16));
    return at + 3;
  }
  word.push(ESCAPES[byte] ?? byte);
  return at + 1;
}

/** Inside '…': only \' is an escape. */
function readApostrophed(line: Uint8Array, from: number, word: number[]): number {
  let at = from;
  while (at < line.length) {
    const byte = line[at] as number;
    if (byte === APOSTROPHE) return at + 1;
    if (byte === BACKSLASH && line[at + 1] === APOSTROPHE) at++;
    word.push(line[at] as number);
    at++;
  }
  return -1;
}

function skipBlanks(line: Uint8Array, from: number): number {
  let at = from;
  while (at < line.length && isBlank(line[at] as number)) at++;
  return at;
}

/** What ends a word without quotes: fewer bytes than those that are skipped between words. */
function endsWord(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** C's isspace. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
