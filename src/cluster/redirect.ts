/**
 * Reads the errors by which a cluster node says "not here": MOVED and ASK with their targets.
 *
 * Forms seen: `MOVED 8579 10.0.0.1:7001`, `MOVED 8579 :7001` (same host as the node that answered),
 * `MOVED 8579 ?:7001` (unknown: refresh), host names, and IPv6 (`MOVED 8579 ::1:7001`: the port is behind the last colon).
 */
import { SLOT_COUNT } from './slot.ts';

export interface Redirect {
  readonly kind: 'moved' | 'ask';
  readonly slot: number;
  /** Empty: the host of the node that answered. Undefined: the node does not know it. */
  readonly host: string | undefined;
  readonly port: number;
}

const LINE = /^-(MOVED|ASK) (\d{1,5}) (\S*):(\d{1,5})\r\n$/;

/** The redirect in an error line (`-` and CRLF included); undefined when it is none. */
export function parseRedirect(line: string): Redirect | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, word, slotText, hostText, portText] = match;
  const slot = Number(slotText);
  const port = Number(portText);
  if (slot >= SLOT_COUNT || port < 1 || port > 65535) return undefined;
  const host = hostText === '?' ? undefined : (hostText ?? '').replace(/^\[(.*)\]$/, '$1');
  return { kind: word === 'MOVED' ? 'moved' : 'ask', slot, host, port };
}
