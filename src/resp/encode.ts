/**
 * Encodes requests to nodes and the replies that evalgate makes itself. Replies that come from a node are never
 * encoded anew: their bytes pass.
 */

export const OK = Buffer.from('+OK\r\n');
export const PONG = Buffer.from('+PONG\r\n');
export const NULL_BULK = Buffer.from('$-1\r\n');
const NULL_ARRAY = Buffer.from('*-1\r\n');
export const EMPTY_ARRAY = Buffer.from('*0\r\n');

/** The version of RESP that a client speaks; the connections upstream for it speak the same. */
export type Protocol = 2 | 3;

const NULL = Buffer.from('_\r\n');

type Argument = string | Uint8Array;

/** A command as a multibulk frame. Strings are written as UTF-8. */
export function encodeCommand(...args: readonly Argument[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) parts.push(encodeBulk(arg));
  return Buffer.concat(parts);
}

/** A bulk string; in a request, one argument. */
export function encodeBulk(value: Argument): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF]);
}

export function encodeInteger(value: number | bigint): Buffer {
  return Buffer.from(`:${value}\r\n`);
}

/** An array of elements that are encoded already. */
export function encodeArray(elements: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from(`*${elements.length}\r\n`), ...elements]);
}

/** No value: a null bulk in RESP2. */
export function encodeNull(protocol: Protocol): Buffer {
  return protocol === 3 ? NULL : NULL_BULK;
}

/** No array: what EXEC answers when a watched key changed. */
export function encodeNullArray(protocol: Protocol): Buffer {
  return protocol === 3 ? NULL : NULL_ARRAY;
}

/** A map of entries that are encoded already; in RESP2 an array of keys and values in turn. */
export function encodeMap(protocol: Protocol, entries: readonly (readonly [Uint8Array, Uint8Array])[]): Buffer {
  const header = protocol === 3 ? `%${entries.length}\r\n` : `*${entries.length * 2}\r\n`;
  return Buffer.concat([Buffer.from(header), ...entries.flat()]);
}

/** A set of elements that are encoded already; in RESP2 an array. */
export function encodeSet(protocol: Protocol, elements: readonly Uint8Array[]): Buffer {
  const header = `${protocol === 3 ? '~' : '*'}${elements.length}\r\n`;
  return Buffer.concat([Buffer.from(header), ...elements]);
}

/** A text for people; in RESP2 a bulk string. */
export function encodeVerbatim(protocol: Protocol, text: Uint8Array): Buffer {
  if (protocol === 2) return encodeBulk(text);
  return Buffer.concat([Buffer.from(`=${text.length + 4}\r\ntxt:`), text, CRLF]);
}

const CRLF = Buffer.from('\r\n');
