/**
 * The name of a script: the SHA-1 of its body in lower-case hex, as the servers compute it.
 */
import { createHash } from 'node:crypto';

export type Sha = string & { readonly brand: 'Sha' };

export const SHA_LENGTH = 40;

/** No body has this sha: asking for it makes a node say its NOSCRIPT without running anything. */
export const IMPOSSIBLE_SHA = '0'.repeat(SHA_LENGTH);

export function shaOf(body: Uint8Array): Sha {
  return createHash('sha1').update(body).digest('hex') as Sha;
}

/** The first seven hex digits in bytes [start, start + 7) as an integer, in any case; -1 when they are no hex. */
export function shaPrefix(bytes: Uint8Array, start: number): number {
  let prefix = 0;
  for (let i = start; i < start + 7; i++) {
    const digit = hexDigit(bytes[i] as number);
    if (digit < 0) return -1;
    prefix = (prefix << 4) | digit;
  }
  return prefix;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
