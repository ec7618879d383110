/**
 * What the framers make of a stream that comes in given chunks.
 */
import { ReplyFramer } from '../../src/resp/reply-framer.ts';
import { RequestFramer } from '../../src/resp/request-framer.ts';
import { textsOf } from './request.ts';

export interface FramedRequest {
  /** Arguments as latin1 text. */
  readonly args: readonly string[];
  /** The frame's bytes as latin1 text. */
  readonly frame: string;
}

export interface RequestRun {
  readonly requests: readonly FramedRequest[];
  /** Empty: the stream is good so far. */
  readonly error: string;
  readonly framer: RequestFramer;
}

/** All requests of the stream, and the error that ends it if there is one. */
export function frameRequests(chunks: Iterable<Buffer>, maxRequestBytes = 2 ** 29): RequestRun {
  const framer = new RequestFramer({ maxRequestBytes });
  const requests: FramedRequest[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let step = framer.next(); step !== 'more'; step = framer.next()) {
      if (step === 'error') return { requests, error: framer.error, framer };
      const { bytes, start, end } = framer.request;
      requests.push({ args: textsOf(framer.request), frame: bytes.toString('latin1', start, end) });
    }
  }
  return { requests, error: '', framer };
}

export interface ReplyRun {
  /** Frames as latin1 text; pushes with the word before them. */
  readonly frames: readonly string[];
  /** How it ended; `more` when the stream is good so far. */
  readonly end: 'more' | 'malformed' | 'too_large';
  readonly framer: ReplyFramer;
}

export function frameReplies(chunks: Iterable<Buffer>, maxReplyBytes = 2 ** 29): ReplyRun {
  const framer = new ReplyFramer(maxReplyBytes);
  const frames: string[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let step = framer.next(); step !== 'more'; step = framer.next()) {
      if (step !== 'reply' && step !== 'push') return { frames, end: step, framer };
      frames.push((step === 'push' ? 'push ' : '') + framer.bytes.toString('latin1', framer.start, framer.end));
    }
  }
  return { frames, end: 'more', framer };
}

/**
 * The bytes in chunks that all stand in the same memory, as sockets read them: what a chunk held is spoiled before the
 * next one comes.
 */
export function* inSharedChunks(chunks: Iterable<Buffer>): Iterable<Buffer> {
  const shared = Buffer.alloc(64 * 1024);
  for (const chunk of chunks) {
    shared.set(chunk);
    yield shared.subarray(0, chunk.length);
    shared.fill(0xee);
  }
}

/** The bytes one by one. */
export function* byteByByte(bytes: Buffer): Iterable<Buffer> {
  for (const byte of bytes) yield Buffer.of(byte);
}

/** The bytes in two chunks, in memory of their own. */
export function splitAt(bytes: Buffer, at: number): Buffer[] {
  return [Buffer.from(bytes.subarray(0, at)), Buffer.from(bytes.subarray(at))];
}

/** The bytes in chunks of one size. */
export function* inChunks(bytes: Buffer, size: number): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}
