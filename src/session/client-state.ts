/**
 * What a client has told of itself, and what is known of it: id, name, addresses, and how CLIENT LIST shows it.
 */
import type { Socket } from 'node:net';
import { formatAddress } from '../cluster/topology.ts';
import type { Command } from '../command/table.ts';
import type { Protocol } from '../resp/encode.ts';

export class ClientState {
  readonly id: number;
  /** `host:port` of the client. */
  readonly address: string;
  /** Without the port: all connections of one machine, or of one network behind NAT. */
  readonly host: string;
  /** The address that the client connected to. */
  readonly local: { readonly host: string; readonly port: number };
  /** When it connected, by the turn's clock. */
  readonly connectedMs: number;
  name: Buffer | undefined;
  libraryName: Buffer | undefined;
  libraryVersion: Buffer | undefined;
  /** What it speaks. */
  protocol: Protocol = 2;
  user = 'default';
  /** The command it sent last; undefined for one that nobody knows. */
  command: Command | undefined;
  /** Bytes came since the last tick. */
  isActive = true;
  /** CLIENT NO-EVICT and NO-TOUCH, as they were set. */
  isNoEvict = false;
  isNoTouch = false;
  /** How many of its next requests get no reply: none, one after CLIENT REPLY SKIP, all after OFF. */
  mutedCount = 0;
  /** While the client waits in a blocking command: ends the wait as CLIENT UNBLOCK wants it; whether it could. */
  unblock: ((how: 'timeout' | 'error') => boolean) | undefined;
  #activeMs: number;

  constructor(id: number, socket: Socket, nowMs: number) {
    this.id = id;
    this.host = plainHost(socket.remoteAddress) ?? '?';
    this.address = formatAddress(this.host, socket.remotePort ?? 0);
    this.local = { host: plainHost(socket.localAddress) ?? '127.0.0.1', port: socket.localPort ?? 0 };
    this.connectedMs = nowMs;
    this.#activeMs = nowMs;
  }

  /** Called now and then: the clock is not read for every request. */
  tick(nowMs: number): void {
    if (!this.isActive) return;
    this.isActive = false;
    this.#activeMs = nowMs;
  }

  /** Since when it has sent nothing, give or take a tick. */
  idleMs(nowMs: number): number {
    return this.isActive ? 0 : Math.max(0, nowMs - this.#activeMs);
  }

  /** RESET: as a new connection; after SKIP the reply of RESET itself is still left out, as in Redis. */
  reset(): void {
    this.name = undefined;
    this.isNoEvict = false;
    this.isNoTouch = false;
    if (this.mutedCount === Number.POSITIVE_INFINITY) this.mutedCount = 0;
  }
}

/** An IPv4 client of a socket that serves both has its address written as IPv6. */
function plainHost(host: string | undefined): string | undefined {
  return host?.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host;
}
