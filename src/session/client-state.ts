/**
 * What a client has told of itself, and what is known of it: id, name, address.
 */
import type { Socket } from 'node:net';
import { formatAddress } from '../cluster/topology.ts';

let lastId = 0;

export class ClientState {
  readonly id = ++lastId;
  /** `host:port` of the client. */
  readonly address: string;
  name: Buffer | undefined;
  libraryName: Buffer | undefined;
  libraryVersion: Buffer | undefined;

  constructor(socket: Socket) {
    this.address = formatAddress(socket.remoteAddress ?? '?', socket.remotePort ?? 0);
  }

  reset(): void {
    this.name = undefined;
  }
}
