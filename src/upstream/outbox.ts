/**
 * What is on its way to one peer, a client or a node: appended at any time, written once per turn, one write in
 * flight. Bytes that were handed to the socket are not touched until it says that they are gone.
 *
 *     append ─▶ open batch ─▶ closed batches ─▶ (at most WRITE_BYTES at once) ─▶ socket
 *
 * Because one write is bounded, `progressMs` moves as long as the peer takes anything: a peer that reads slowly is
 * not taken for one that does not read.
 */
import type { Socket } from 'node:net';
import { RingQueue } from '../base/ring-queue.ts';
import { ASSEMBLY_BYTES } from '../resp/receive-buffer.ts';
import { Batch } from './batch.ts';

const WRITE_BYTES = 256 * 1024;

/** What Node's sockets do not show. */
interface WritingHandle {
  readonly writeQueueSize?: number;
  readonly _parent?: { readonly writeQueueSize?: number };
}

export class Outbox {
  readonly #socket: Socket;
  readonly #onDrained: () => void;
  readonly #batchBytes: number;
  #open: Batch | undefined;
  readonly #closed = new RingQueue<Batch>();
  /** Batches in the write that is in flight. */
  readonly #inFlight: Batch[] = [];
  /** How much of the oldest closed batch was written already. */
  #written = 0;
  #isWriting = false;
  #pendingBytes = 0;
  #writingBytes = 0;

  /** `onDrained` is called when a write has gone through; `batchBytes` is one of the usual sizes of batch.ts. */
  constructor(socket: Socket, onDrained: () => void, batchBytes: number) {
    this.#socket = socket;
    this.#onDrained = onDrained;
    this.#batchBytes = batchBytes;
  }

  /** Bytes appended that the socket has not yet given to the kernel. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Bytes of the write in flight that the kernel has not taken; it falls while the peer reads, however slowly. */
  get unsentBytes(): number {
    const { _handle: handle } = this.#socket as unknown as { _handle?: WritingHandle | null };
    // With TLS there are two: what is not encrypted yet, and below what the kernel has not taken.
    return (handle?.writeQueueSize ?? 0) + (handle?._parent?.writeQueueSize ?? 0);
  }

  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** A batch with room for so many bytes in one piece; what is appended to it must be told by `grew`. */
  reserve(bytes: number): Batch {
    const open = this.#open;
    if (open?.hasRoom(bytes)) return open;
    this.#close();
    const batch = Batch.take(bytes, this.#batchBytes);
    this.#open = batch;
    return batch;
  }

  grew(bytes: number): void {
    this.#pendingBytes += bytes;
  }

  /** Appends bytes [start, end); runs beyond ASSEMBLY_BYTES are not copied and must never change. The batch they stand in. */
  append(bytes: Buffer, start: number, end: number): Batch {
    const length = end - start;
    this.#pendingBytes += length;
    if (length > ASSEMBLY_BYTES) return this.#lend(Batch.around(bytes.subarray(start, end)));
    const batch = this.reserve(length);
    batch.appendRun(bytes, start, end);
    return batch;
  }

  #lend(batch: Batch): Batch {
    this.#close();
    this.#closed.push(batch);
    return batch;
  }

  #close(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    if (open.used > 0) this.#closed.push(open);
    else open.release();
  }

  /** Hands to the socket what is there, unless a write is still in flight: then the rest follows by itself. */
  flush(): void {
    if (this.#isWriting || this.#socket.destroyed) return;
    this.#close();
    if (this.#closed.length === 0) return;
    this.#isWriting = true;
    const only = this.#closed.length === 1 && this.#written === 0 ? this.#closed.peek() : undefined;
    if (only !== undefined && only.used <= WRITE_BYTES) {
      this.#closed.shift();
      this.#inFlight.push(only);
      this.#writingBytes = only.used;
      this.#socket.write(only.buffer.subarray(0, only.used), this.#onWritten);
      return;
    }
    this.#writeMany();
  }

  #writeMany(): void {
    const pieces: Uint8Array[] = [];
    let room = WRITE_BYTES;
    for (let batch = this.#closed.peek(); batch !== undefined && room > 0; batch = this.#closed.peek()) {
      const end = Math.min(batch.used, this.#written + room);
      pieces.push(batch.buffer.subarray(this.#written, end));
      room -= end - this.#written;
      this.#written = end;
      if (end < batch.used) break;
      this.#closed.shift();
      this.#inFlight.push(batch);
      this.#written = 0;
    }
    this.#writingBytes = WRITE_BYTES - room;
    const last = pieces.pop();
    this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    if (last !== undefined) this.#socket.write(last, this.#onWritten);
    this.#socket.uncork();
  }

  readonly #onWritten = (): void => {
    this.#isWriting = false;
    this.#pendingBytes -= this.#writingBytes;
    this.#writingBytes = 0;
    for (const batch of this.#inFlight) batch.release();
    this.#inFlight.length = 0;
    if (this.#socket.destroyed) return;
    if (this.#pendingBytes > 0) this.flush();
    this.#onDrained();
  };

  /** Lets go of everything: the socket is closed. */
  discard(): void {
    this.#close();
    for (let batch = this.#closed.shift(); batch !== undefined; batch = this.#closed.shift()) batch.release();
    this.#pendingBytes = this.#writingBytes;
  }
}
