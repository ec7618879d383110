/**
 * Reading words and integers straight out of received bytes, without a string in between.
 */

/** Arguments of a command whose bytes are at hand (`Request`) or whose values are partly known (a call in Lua). */
export interface Arguments {
  /** Number of arguments, the command name included. */
  readonly argc: number;
  /** Whether the argument equals the word, case-insensitively; false when it is not known. */
  isWord(index: number, lowerCaseWord: string): boolean;
  /** The argument as an integer, rounded beyond ±2^53; NaN when it is none, needs more than 64 bits, or is not known. */
  integerAt(index: number): number;
}

/** Arguments that stand in bytes. */
export interface ByteArguments extends Arguments {
  readonly bytes: Buffer;
  argStart(index: number): number;
  argEnd(index: number): number;
}

/** Whether bytes [start, end) equal the word, case-insensitively for A to Z. The word is ASCII in lower case. */
export function isWordAt(bytes: Uint8Array, start: number, end: number, lowerCaseWord: string): boolean {
  if (end - start !== lowerCaseWord.length) return false;
  for (let i = 0; i < lowerCaseWord.length; i++) {
    if (lowerCaseByte(bytes[start + i] as number) !== lowerCaseWord.charCodeAt(i)) return false;
  }
  return true;
}

/** A to Z as a to z, every other byte as it is. */
export function lowerCaseByte(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/**
 * The decimal integer in bytes [start, end), by Redis's rules (`string2ll` in its util.c): no white space, no plus
 * sign, no leading zeros. NaN when it is none or needs more than 64 bits; beyond ±2^53 it is rounded.
 */
export function parseIntegerAt(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const negative = bytes[at] === 0x2d && end > start;
  if (negative) at++;
  const digits = end - at;
  if (digits < 1 || digits > 19) return Number.NaN;
  if (bytes[at] === 0x30) return digits === 1 && !negative ? 0 : Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  if (digits > 15) return parseLong(bytes, start, end);
  return negative ? -value : value;
}

function parseLong(bytes: Uint8Array, start: number, end: number): number {
  const value = BigInt(String.fromCharCode(...bytes.subarray(start, end)));
  return BigInt.asIntN(64, value) === value ? Number(value) : Number.NaN;
}
