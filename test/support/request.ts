/**
 * Requests as the framer gives them, from arguments: for tests of what is decided about a request.
 */
import assert from 'node:assert/strict';
import type { Request } from '../../src/resp/request.ts';
import { RequestFramer } from '../../src/resp/request-framer.ts';
import { type Argument, encodeCommand } from './client.ts';

/** The request that stands in the bytes; the first one has a neighbour before it, so that nothing begins at 0. */
export function requestFrom(bytes: Buffer): Request {
  const framer = new RequestFramer({ maxRequestBytes: 2 ** 29 });
  framer.push(Buffer.concat([encodeCommand(['PING']), bytes]));
  assert.equal(framer.next(), 'request');
  assert.equal(framer.next(), 'request', framer.error);
  return framer.request;
}

export function requestOf(...args: readonly Argument[]): Request {
  return requestFrom(encodeCommand(args));
}

/** The arguments as latin1 text. */
export function textsOf(request: Request): string[] {
  return Array.from({ length: request.argc }, (_, i) => request.argText(i));
}
