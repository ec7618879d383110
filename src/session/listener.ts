/**
 * Accepts clients: makes a session of each socket, holds the limit of clients, and gives every session a coarse tick.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { OperatorError } from '../base/operator-error.ts';
import { errorLine, REDIS } from '../resp/errors.ts';
import type { Clients } from './clients.ts';
import type { Runtime } from './runtime.ts';
import { Session } from './session.ts';
import { TlsDoor } from './tls-door.ts';

const TICK_MS = 100;

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export class Listener {
  readonly #runtime: Runtime;
  readonly #server: Server;
  readonly #sessions: Clients;
  readonly #door: TlsDoor;
  #ticker: NodeJS.Timeout | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#sessions = runtime.clients;
    this.#door = new TlsDoor({
      onSecure: (socket) => this.#serve(socket),
      onRefused: (address, reason) => runtime.onClientRefused(address, reason),
    });
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true },
      (socket) => {
        this.#accept(socket);
      },
    );
  }

  /** Begins to accept; the address bound. Throws an OperatorError when the address cannot be had. */
  async listen(wanted: ListenAddress): Promise<ListenAddress> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const reason = cause.code === 'EADDRINUSE' ? 'the address is in use' : cause.message;
        reject(
          new OperatorError('EVALGATE_LISTEN', `Cannot listen on ${wanted.host}:${wanted.port}: ${reason}`, { cause }),
        );
      });
      this.#server.listen({ ...wanted, backlog: 511 }, resolve);
    });
    this.#server.removeAllListeners('error');
    this.#server.on('error', (error) => this.#runtime.onFault(error));
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    const address = this.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : wanted.port;
    return { host: wanted.host, port };
  }

  /** Clients that come from now on have to speak TLS; undefined: must not. */
  useTls(options: TlsOptions | undefined): void {
    this.#door.use(options);
  }

  #accept(socket: Socket): void {
    const { counters, limits, siblings } = this.#runtime;
    const elsewhere = siblings?.clientCount ?? 0;
    if (elsewhere + this.#sessions.size + this.#door.pendingCount >= limits.maxClients) {
      counters.clientsRefused++;
      socket.on('error', () => {});
      // Without a handshake there are no words that the client would understand.
      if (this.#door.isOpen) socket.destroy();
      else socket.end(errorLine(REDIS.maxClients), () => socket.destroy());
    } else if (this.#door.isOpen) {
      this.#door.admit(socket);
    } else {
      this.#serve(socket);
    }
  }

  #serve(socket: Socket): void {
    const { counters } = this.#runtime;
    counters.clientsTotal++;
    counters.clients++;
    this.#sessions.add(new Session(socket, this.#runtime, (session) => this.#onClosed(session)));
    this.#runtime.siblings?.onClientCount(this.#sessions.size);
  }

  #onClosed(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    this.#runtime.counters.clients--;
    this.#runtime.siblings?.onClientCount(this.#sessions.size);
    if (this.#sessions.size === 0) this.#onEmpty?.();
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const session of this.#sessions) {
      session.tick(nowMs);
      session.dispatcher.subscriptions?.tick(nowMs);
    }
  }

  /** A new topology: sessions that wait for one look at once. */
  onTopology(): void {
    for (const session of this.#sessions) {
      session.onTopology();
      session.dispatcher.subscriptions?.onTopology();
    }
  }

  /** Other accounts are in force: who has none of them any more ends, when what is in flight is answered. */
  onAccounts(): void {
    for (const session of this.#sessions) {
      if (!session.standing.isKept()) session.guard(() => session.close());
    }
  }

  /** Stops accepting, lets what was read be carried out for so long, and closes all clients: idle ones at once. */
  async stop(drainMs: number): Promise<void> {
    this.#server.close();
    this.#door.close();
    for (const session of this.#sessions) session.drain();
    if (this.#sessions.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, drainMs);
        this.#onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    clearInterval(this.#ticker);
    this.#sessions.pause.end();
    for (const session of this.#sessions) session.destroy();
  }
}
