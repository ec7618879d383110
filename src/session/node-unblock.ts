/**
 * CLIENT UNBLOCK for what waits at a node: the node ends the wait, so that nothing that it has popped already gets lost.
 * It knows the waiting connection by a number, which is asked for on that connection before the command that waits.
 */
import { ANY_SLOT } from '../plan/plan.ts';
import { encodeCommand } from '../resp/encode.ts';
import type { Connection } from '../upstream/connection.ts';
import { Exchange, IGNORE } from '../upstream/exchange.ts';

export type UnblockWith = 'timeout' | 'error';

const CLIENT_ID = encodeCommand('CLIENT', 'ID');

/** Learns the number of the connection, once; a user who may not ask has none. */
export function learnClientId(connection: Connection): void {
  if (connection.clientId !== undefined) return;
  const onReply = (_: Exchange, bytes: Buffer, start: number, end: number): void => {
    connection.clientId = bytes[start] === 0x3a ? bytes.toString('latin1', start + 1, end - 2) : '';
  };
  connection.sendOwn(new Exchange({ onReply, onFailure: () => {} }, 0, undefined, ANY_SLOT), CLIENT_ID);
}

/** Has the node end what waits on these connections; false when it cannot be told yet, or not at all. */
export function unblockAtNode(connections: Iterable<Connection>, how: UnblockWith): boolean {
  const waiting = [...connections];
  if (waiting.length === 0 || waiting.some(({ clientId = '' }) => clientId === '')) return false;
  const others = waiting.map(({ pool }) => pool.pick(undefined));
  if (others.includes(undefined)) return false;
  for (const [index, { clientId = '' }] of waiting.entries()) {
    const request = encodeCommand('CLIENT', 'UNBLOCK', clientId, how.toUpperCase());
    others[index]?.sendOwn(new Exchange(IGNORE, 0, undefined, ANY_SLOT), request);
  }
  return true;
}
