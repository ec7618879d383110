/**
 * TLS towards clients: takes accepted sockets through the handshake and hands out those that came through. Used by the
 * listener, which goes on accepting plain sockets, so that TLS can be had, changed and given up while it listens.
 *
 *     accepted socket ─▶ handshake ─▶ onSecure: as good as any socket
 *                            └ no TLS, no good certificate, 10 s ─▶ closed, onRefused
 */
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { formatAddress } from '../cluster/topology.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;

/** OpenSSL's words for a client that speaks something else. */
const NO_TLS = ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_HTTP_REQUEST', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'];

export interface TlsDoorEvents {
  onSecure(socket: TLSSocket): void;
  /** The handshake failed; `address` is `host:port` of the client. */
  onRefused(address: string, reason: string): void;
}

export class TlsDoor {
  readonly #events: TlsDoorEvents;
  #server: Server | undefined;
  #asksCertificate = false;
  /** Sockets in the handshake, by the address of the client. */
  readonly #pending = new Map<string, Socket>();

  constructor(events: TlsDoorEvents) {
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#server !== undefined;
  }

  /** Sockets in the handshake. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Certificates and all for the handshakes that begin from now on; undefined: no TLS. */
  use(options: TlsOptions | undefined): void {
    this.#server = undefined;
    if (options === undefined) return;
    const server = createServer({ ...options, handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
    this.#server = server;
    this.#asksCertificate = options.requestCert === true;
    server.on('secureConnection', (socket) => {
      this.#pending.delete(addressOf(socket));
      // Until now an end was the end of the handshake.
      socket.allowHalfOpen = true;
      this.#events.onSecure(socket);
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException & { reason?: string }, socket) => {
      const address = addressOf(socket);
      this.#pending.delete(address);
      socket.destroy();
      // A load balancer that looks whether the port is open.
      if (error.code === 'ECONNRESET') return;
      const isPlain = NO_TLS.includes(error.code ?? '');
      this.#events.onRefused(address, isPlain ? 'it does not speak TLS' : (error.reason ?? error.message));
    });
  }

  /** Begins the handshake on a socket that was accepted and not read from. */
  admit(socket: Socket): void {
    const address = addressOf(socket);
    this.#pending.set(address, socket);
    socket.allowHalfOpen = false;
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#pending.get(address) !== socket) return;
      this.#pending.delete(address);
      // Node closes these without a word.
      if (this.#asksCertificate) this.#events.onRefused(address, 'its certificate is not from listen.tls.ca_file');
    });
    this.#server?.emit('connection', socket);
  }

  /** Ends the handshakes that are under way. */
  close(): void {
    const sockets = [...this.#pending.values()];
    this.#pending.clear();
    for (const socket of sockets) socket.destroy();
  }
}

function addressOf({ remoteAddress, remotePort }: Socket): string {
  return formatAddress(remoteAddress ?? '?', remotePort ?? 0);
}
