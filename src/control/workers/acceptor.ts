/**
 * The port of all workers: accepts clients and hands each to the worker with the fewest. node:cluster does the like, but
 * loses a connection that is on its way to a worker that dies: its client would wait for ever. Here a connection is ours
 * until a worker has confirmed it, and goes to another when that one is gone.
 *
 *     port ─▶ waiting ─▶ on its way to a worker ─▶ taken: our end is closed
 *                ▲               │
 *                └───────────────┘ the worker is gone, or stops
 *
 * What is handed over is the handle of the socket, which Node.js sends between processes as it is.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { RingQueue } from '../../base/ring-queue.ts';
import { ACCEPT_OPTIONS, type ListenAddress, listenOn } from '../../session/listener.ts';
import type { WorkerHandle } from './worker-handle.ts';

/** An open connection, of Node.js's own kind. */
export interface ConnectionHandle {
  close(): void;
}

/** Clients that wait while there is no worker; one more is closed. */
const MAX_WAITING = 1024;

export class Acceptor {
  readonly #serving: () => readonly WorkerHandle[];
  readonly #log: Logger;
  readonly #server: Server;
  readonly #waiting = new RingQueue<ConnectionHandle>();
  #isClosed = false;

  constructor(serving: () => readonly WorkerHandle[], log: Logger) {
    this.#serving = serving;
    this.#log = log;
    this.#server = createServer(ACCEPT_OPTIONS, (socket) => this.#accept(socket));
  }

  /** Begins to accept; the address bound. Throws an OperatorError when the address cannot be had. */
  async listen(wanted: ListenAddress): Promise<ListenAddress> {
    const address = await listenOn(this.#server, wanted);
    this.#server.on('error', (err) => this.#log.error({ err }, 'the port failed'));
    return address;
  }

  /** A worker serves now: clients that wait for one go there. */
  onServing(): void {
    for (let left = this.#waiting.length; left > 0; left--) {
      const handle = this.#waiting.shift();
      if (handle !== undefined) this.#handOver(handle);
    }
  }

  #accept(socket: Socket): void {
    const holder = socket as unknown as { _handle: ConnectionHandle | null };
    const handle = holder._handle;
    // Gone already.
    if (handle === null) return;
    holder._handle = null;
    this.#handOver(handle);
  }

  #handOver(handle: ConnectionHandle): void {
    const workers = this.#serving();
    const [first, ...others] = workers;
    if (first === undefined) return this.#wait(handle);
    const least = others.reduce((best, worker) => (worker.load < best.load ? worker : best), first);
    const elsewhere = workers.reduce((sum, worker) => sum + worker.load, 0) - least.load;
    least.take(handle, elsewhere).then(
      (isTaken) => {
        if (isTaken) handle.close();
        else this.#handOver(handle);
      },
      // It is gone, and no longer among those that serve.
      () => this.#handOver(handle),
    );
  }

  #wait(handle: ConnectionHandle): void {
    if (this.#isClosed || this.#waiting.length >= MAX_WAITING) handle.close();
    else this.#waiting.push(handle);
  }

  /** Takes no more; who waits is sent away. */
  close(): void {
    this.#isClosed = true;
    this.#server.close();
    for (let handle = this.#waiting.shift(); handle !== undefined; handle = this.#waiting.shift()) handle.close();
  }
}
