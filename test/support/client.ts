/**
 * A raw RESP client: sends commands or bytes of any kind, and gives back whole reply frames as the bytes they came in.
 * It frames replies by itself, so that it can judge the framers in src.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type Argument = string | number | Buffer;

const REPLY_TIMEOUT_MS = 30_000;

/** The bytes of a command as an array of bulk strings. */
export function encodeCommand(args: readonly Argument[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)];
  for (const argument of args) {
    const bytes = Buffer.isBuffer(argument) ? argument : Buffer.from(String(argument));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

export class RawClient {
  readonly #socket: Socket;
  readonly #frames: Buffer[] = [];
  readonly #waiting: (() => void)[] = [];
  #bytes: Buffer = Buffer.alloc(64 * 1024);
  #end = 0;
  /** Total bytes needed before it is worth while to look for the end of a frame again. */
  #needed = 0;
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    // A reset is one way to be closed; what is missing then fails in reply().
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
    socket.once('end', () => this.#wake());
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Over a connection that is ready: TLS, say. */
  static over(socket: Socket): RawClient {
    return new RawClient(socket);
  }

  /** Sends bytes as they are; false when the socket has had enough for now. */
  send(bytes: Buffer | string): boolean {
    return this.#socket.write(bytes);
  }

  /** Sends one command and resolves to its raw reply, given that all earlier replies are read. */
  async command(...args: readonly Argument[]): Promise<Buffer> {
    this.send(encodeCommand(args));
    return await this.reply();
  }

  /** As `command`, with the reply as text for comparing. */
  async text(...args: readonly Argument[]): Promise<string> {
    return (await this.command(...args)).toString();
  }

  /** Sends all commands in one write and resolves to their raw replies in order. */
  async pipeline(commands: readonly (readonly Argument[])[]): Promise<Buffer[]> {
    this.send(Buffer.concat(commands.map(encodeCommand)));
    return await this.replies(commands.length);
  }

  /** The next reply frame as raw bytes. Fails when the connection ends before it, or after 30 s. */
  async reply(): Promise<Buffer> {
    const frame = await this.#next();
    assert.ok(frame, `the connection ended before the reply, ${this.#end} bytes of it had come`);
    return frame;
  }

  async replies(count: number): Promise<Buffer[]> {
    const frames: Buffer[] = [];
    while (frames.length < count) frames.push(await this.reply());
    return frames;
  }

  /** All frames up to the end of the connection; fails when it does not end within 30 s or ends inside a frame. */
  async repliesUntilEnd(): Promise<Buffer[]> {
    const frames: Buffer[] = [];
    for (let frame = await this.#next(); frame !== undefined; frame = await this.#next()) frames.push(frame);
    assert.equal(this.#end, 0, 'the connection ended inside a frame');
    return frames;
  }

  /** Number of replies that have come and were not read. */
  get unreadCount(): number {
    return this.#frames.length;
  }

  /** Closes our side for writing; replies still come. */
  endWrites(): void {
    this.#socket.end();
  }

  /** Stops taking bytes off the socket, as a client that does not read. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Resolves when the connection is gone, in good order or not; fails after 30 s. */
  async closed(): Promise<void> {
    const deadline = Date.now() + REPLY_TIMEOUT_MS;
    while (!this.#isClosed) {
      const left = deadline - Date.now();
      assert.ok(left > 0, `the connection was not closed within ${REPLY_TIMEOUT_MS} ms`);
      await this.#news(left);
    }
  }

  /** Vanishes: no more reading or writing. */
  close(): void {
    this.#socket.destroy();
  }

  async #next(): Promise<Buffer | undefined> {
    const deadline = Date.now() + REPLY_TIMEOUT_MS;
    while (this.#frames.length === 0 && !this.#isClosed && !this.#socket.readableEnded) {
      const left = deadline - Date.now();
      assert.ok(left > 0, `no reply within ${REPLY_TIMEOUT_MS} ms`);
      await this.#news(left);
    }
    return this.#frames.shift();
  }

  #news(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  #take(chunk: Buffer): void {
    this.#append(chunk);
    if (this.#end < this.#needed) return;
    let start = 0;
    for (;;) {
      const end = frameEnd(this.#bytes.subarray(0, this.#end), start);
      if (end < 0) {
        this.#needed = -end - start;
        break;
      }
      this.#frames.push(Buffer.from(this.#bytes.subarray(start, end)));
      start = end;
    }
    this.#bytes.copyWithin(0, start, this.#end);
    this.#end -= start;
    if (start > 0) this.#wake();
  }

  #append(chunk: Buffer): void {
    const needed = this.#end + chunk.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#end);
      this.#bytes = larger;
    }
    chunk.copy(this.#bytes, this.#end);
    this.#end = needed;
  }
}

/** Where the frame that begins at `start` ends (exclusive); when it is not complete, minus the bytes needed at least. */
function frameEnd(bytes: Buffer, start: number): number {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd < 0) return -(bytes.length + 1);
  const type = String.fromCharCode(bytes[start] ?? 0);
  const rest = bytes.toString('latin1', start + 1, lineEnd);
  const next = lineEnd + 2;
  if ('+-:_,#('.includes(type)) return next;
  if ('$=!'.includes(type))
    return rest === '?' ? endOfStream(bytes, next, ';0\r\n') : bulkEnd(bytes, next, Number(rest));
  if (!'*~>%|'.includes(type))
    throw new Error(`no RESP type: ${JSON.stringify(bytes.toString('latin1', start, lineEnd))}`);
  if (rest === '?') return endOfStream(bytes, next, '.\r\n');
  const perEntry = '%|'.includes(type) ? 2 : 1;
  // An attribute is followed by the value that it belongs to.
  return elementsEnd(bytes, next, Number(rest) * perEntry + (type === '|' ? 1 : 0));
}

function bulkEnd(bytes: Buffer, start: number, length: number): number {
  if (length < 0) return start;
  const end = start + length + 2;
  return end <= bytes.length ? end : -end;
}

function elementsEnd(bytes: Buffer, start: number, count: number): number {
  let at = start;
  for (let i = 0; i < count; i++) {
    at = frameEnd(bytes, at);
    if (at < 0) return at;
  }
  return at;
}

/** Streamed strings (chunks `;n`) and streamed aggregates, up to their terminator. */
function endOfStream(bytes: Buffer, start: number, terminator: string): number {
  let at = start;
  for (;;) {
    if (bytes.length < at + terminator.length) return -(at + terminator.length);
    if (bytes.toString('latin1', at, at + terminator.length) === terminator) return at + terminator.length;
    at = bytes[at] === 0x3b ? chunkEnd(bytes, at) : frameEnd(bytes, at);
    if (at < 0) return at;
  }
}

function chunkEnd(bytes: Buffer, start: number): number {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd < 0) return -(bytes.length + 1);
  return bulkEnd(bytes, lineEnd + 2, Number(bytes.toString('latin1', start + 1, lineEnd)));
}
