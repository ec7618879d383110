/**
 * A session's use of one node: the connection it sticks to while it has something in flight there (C3a), so that its
 * requests to one slot run in the order sent.
 */
import type { Connection } from './connection.ts';
import type { Pool } from './pool.ts';

export class Link {
  readonly pool: Pool;
  /** The connection used last; may be closed. */
  connection: Connection | undefined = undefined;
  /** Requests of the session that this connection has not answered. */
  inFlightCount = 0;
  /** The connection that carried the session's last write: WAIT must ask there. */
  wroteOn: Connection | undefined = undefined;
  /** Writes went over other connections too: then no connection can answer WAIT for all of them. */
  wroteApart = false;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** A write of the session goes over this connection. */
  noteWrite(connection: Connection): void {
    if (this.wroteOn !== undefined && this.wroteOn !== connection) this.wroteApart = true;
    this.wroteOn = connection;
  }

  /** The session has written here, over whichever connection. */
  get hasWritten(): boolean {
    return this.wroteApart || this.wroteOn !== undefined;
  }

  /** The connection to send on; undefined while the node cannot be reached. */
  take(): Connection | undefined {
    if (this.inFlightCount === 0) this.connection = this.pool.pick(this.connection);
    return this.connection;
  }
}
