/**
 * One read buffer for all sockets. Node allocates 64 KB for every read and leaves it to the garbage collector; on a
 * proxy that is most of the memory and, for clients that send scripts, half of the CPU. Here every read lands in the
 * same buffer, is worked off before the next one, and what outlives it is copied (by the framers, and by batch.ts).
 *
 *     read ─▶ SHARED ─▶ onBytes(view)    borrowed: valid until onBytes returns
 *
 * For connections we open, Node offers this as the documented `onread` option, with TLS too. For connections we accept
 * it does not, so the accepted handle is moved into a socket that has it; where that is not possible (no such handle,
 * TLS) the ordinary 'data' event serves, and nothing but speed is lost.
 */
import { connect, Socket, type TcpSocketConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectSecure, TLSSocket } from 'node:tls';
import { completeRun } from './batch.ts';

const SHARED = Buffer.alloc(64 * 1024);

type OnBytes = (bytes: Buffer) => void;

/** Opens a connection whose bytes go to `onBytes`. */
export function connectSharing(options: TcpSocketConnectOpts, onBytes: OnBytes): Socket {
  return connect({ ...options, onread: readInto(onBytes) });
}

/** The same over TLS; 'secureConnect' tells that it may be used. */
export function connectSharingSecure(options: ConnectionOptions, onBytes: OnBytes): Socket {
  // The types do not know that it takes this option of net.connect.
  const withBuffer = { ...options, onread: readInto(onBytes) };
  return connectSecure(withBuffer);
}

/** The accepted connection as a socket whose bytes go to `onBytes`; it was accepted paused, and nobody read from it. */
export function adoptSharing(accepted: Socket, onBytes: OnBytes): Socket {
  const holder = accepted as unknown as { _handle: object | null };
  const handle = holder._handle;
  if (
    accepted instanceof TLSSocket ||
    handle === null ||
    typeof (handle as { useUserBuffer?: unknown }).useUserBuffer !== 'function'
  ) {
    return accepted.on('data', (chunk: Buffer) => workOff(chunk, onBytes));
  }
  holder._handle = null;
  const options = { handle, allowHalfOpen: true, onread: readInto(onBytes) };
  const socket = new Socket(options);
  socket.resume();
  return socket;
}

function readInto(onBytes: OnBytes): { buffer: Uint8Array; callback: (length: number) => boolean } {
  return {
    buffer: SHARED,
    callback: (length) => {
      workOff(SHARED.subarray(0, length), onBytes);
      return true;
    },
  };
}

/** What was noted of these bytes, or of what they were put together with, is copied before others take their place. */
function workOff(bytes: Buffer, onBytes: OnBytes): void {
  try {
    onBytes(bytes);
  } finally {
    completeRun();
  }
}
