/**
 * When a client's socket is read. Nothing is read while nothing is dispatched, but a little of a client that may leave
 * (it is held by CLIENT PAUSE, or waits on a node): its end has to be seen, and a paused socket does not tell.
 */
import type { Socket } from 'node:net';
import type { RequestFramer } from '../resp/request-framer.ts';

const READ_AHEAD_BYTES = 16 * 1024;
/** How long a client that is being closed may take to read the last reply. */
const LINGER_MS = 1000;

export class Intake {
  /** Requests wait, read or not. */
  isBlocked = false;
  readonly #socket: Socket;
  readonly #framer: RequestFramer;

  constructor(socket: Socket, framer: RequestFramer) {
    this.#socket = socket;
    this.#framer = framer;
  }

  block(isLeavable: boolean): void {
    if (this.isBlocked && !isLeavable) return;
    this.isBlocked = true;
    this.slow(isLeavable);
  }

  /** While blocked, after every chunk. */
  slow(isLeavable: boolean): void {
    if (isLeavable && this.#framer.bufferedBytes <= READ_AHEAD_BYTES) this.#socket.resume();
    else this.#socket.pause();
  }

  unblock(): void {
    if (!this.isBlocked) return;
    this.isBlocked = false;
    this.#socket.resume();
  }

  /** The last reply is handed over: the client may take it, and what it still sends is read and ignored. */
  hangUp(hasClientEnded: boolean): void {
    this.#socket.end();
    this.#socket.resume();
    if (hasClientEnded) this.#socket.destroySoon();
    else setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }
}
