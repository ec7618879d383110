/**
 * Accepts clients: makes a session of each socket, holds the limit of clients, and gives every session a coarse tick.
 * The sockets are those of a port that it listens on, or come one by one from the process that does (`workers`).
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

/** Nothing is read before there is a session. */
export const ACCEPT_OPTIONS = { allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true } as const;
const BACKLOG = 511;

/** Binds the server; the address bound. Throws an OperatorError when the address cannot be had. */
export async function listenOn(server: Server, wanted: ListenAddress): Promise<ListenAddress> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'EADDRINUSE' ? 'the address is in use' : cause.message;
      reject(
        new OperatorError('EVALGATE_LISTEN', `Cannot listen on ${wanted.host}:${wanted.port}: ${reason}`, { cause }),
      );
    });
    server.listen({ ...wanted, backlog: BACKLOG }, resolve);
  });
  server.removeAllListeners('error');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : wanted.port;
  return { host: wanted.host, port };
}

export class Listener {
  readonly #runtime: Runtime;
  readonly #sessions: Clients;
  readonly #door: TlsDoor;
  #server: Server | undefined;
  /** It keeps nobody alive: the sockets do. */
  readonly #ticker = setInterval(() => this.#tick(), TICK_MS).unref();
  #onEmpty: (() => void) | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#sessions = runtime.clients;
    this.#door = new TlsDoor({
      onSecure: (socket) => this.#serve(socket),
      onRefused: (address, reason) => runtime.onClientRefused(address, reason),
    });
  }

  /** Begins to accept; the address bound. Throws an OperatorError when the address cannot be had. */
  async listen(wanted: ListenAddress): Promise<ListenAddress> {
    this.#server = createServer(ACCEPT_OPTIONS, (socket) => this.accept(socket));
    const address = await listenOn(this.#server, wanted);
    this.#server.on('error', (error) => this.#runtime.onFault(error));
    return address;
  }

  /** Clients that come from now on have to speak TLS; undefined: must not. */
  useTls(options: TlsOptions | undefined): void {
    this.#door.use(options);
  }

  /** A client, whose socket nobody has read from. */
  accept(socket: Socket): void {
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
    this.#server?.close();
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
