/**
 * Tells of clients that speak the wrong protocol, plain text to a TLS port or TLS to a plain one, and of certificates
 * that are refused. Such clients come again and again: one line a reason in ten seconds, with how many it stands for. And
 * of logins that nodes refuse.
 */
import type { Logger } from 'pino';
import type { Node } from '../cluster/topology.ts';
import type { Access } from '../upstream/access.ts';

const QUIET_MS = 10_000;
/** Reasons remembered; OpenSSL knows more, a client cannot choose that many. */
const MAX_REASONS = 100;

interface Told {
  readonly atMs: number;
  untold: number;
}

export class PeerLog {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #told = new Map<string, Told>();

  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** A client's login that a node refuses is that client's business; our own is the operator's. */
  onLoginRefused(node: Node, { identity }: Access, reason: string): void {
    const isOwn = identity.kind === 'own';
    const fields = { node: node.address, user: identity.displayName, reason };
    this.#log[isOwn ? 'warn' : 'debug'](fields, 'a node refuses a login');
  }

  /** `address` is `host:port` of the client. */
  onRefused(address: string, reason: string): void {
    const nowMs = this.#now();
    const told = this.#told.get(reason);
    if (told !== undefined && nowMs - told.atMs < QUIET_MS) {
      told.untold++;
      return;
    }
    if (told === undefined && this.#told.size >= MAX_REASONS) this.#told.clear();
    this.#told.set(reason, { atMs: nowMs, untold: 0 });
    const more = told === undefined || told.untold === 0 ? {} : { before: told.untold };
    this.#log.warn({ client: address, reason, ...more }, 'client refused');
  }
}
