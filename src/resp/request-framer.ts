/**
 * Cuts the byte stream of a client into requests. Called by the session: `push` what the socket gave, then pull with
 * `next` as long as more requests may be taken; the rest waits here, which is how a session stops reading in the
 * middle of a pipeline.
 *
 * Resumable at any byte, every byte is looked at once, and the texts of its errors are Redis's
 * (`processMultibulkBuffer` and `processInlineBuffer` in networking.c). One difference, on purpose: two bytes behind a
 * bulk that are not CRLF are refused, so that the node behind us can never see other frames than we do.
 *
 *     push(chunk) ─▶ ReceiveBuffer ─▶ header "*n" ─▶ n × ("$len", data) ─▶ next() = 'request'
 *                                  └▶ anything else: a line, split into words, rewritten as multibulk
 */
import { PROTOCOL } from './errors.ts';
import { encodeInline, splitInline } from './inline.ts';
import { INVALID, MORE, ReceiveBuffer } from './receive-buffer.ts';
import { Request } from './request.ts';

/** The first byte of a TLS connection; no command begins with it. */
const TLS_HANDSHAKE = 0x16;
/** Redis's PROTO_INLINE_MAX_SIZE: an inline request, or a count line without its end, may be so long. */
const MAX_LINE_BYTES = 64 * 1024;
/** Redis's limits for clients that have not logged in (`processMultibulkBuffer`). */
const MAX_RESTRICTED_ARGC = 10;
const MAX_RESTRICTED_BULK_BYTES = 16384;
const MAX_ARGC = 2 ** 31 - 1;

export type RequestStep = 'request' | 'more' | 'error';

export interface RequestLimits {
  readonly maxRequestBytes: number;
}

export class RequestFramer {
  /** The request that `next` found; borrowed until `next` or `push` is called again. */
  readonly request = new Request();
  /** The error text after `next` returned 'error': the stream is over. */
  error = '';
  /** The client has not logged in and has to: as in Redis, its requests have to be small. */
  isRestricted = false;
  readonly #limits: RequestLimits;
  readonly #received = new ReceiveBuffer();
  /** Where the frame in progress begins. */
  #start = 0;
  /** Where reading goes on. */
  #at = 0;
  /** Arguments still missing; 0 between frames. */
  #missing = 0;
  /** Length of the bulk whose header was read; -1 when a header comes next. */
  #bulkLength = -1;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** Bytes held for requests not yet taken. */
  get bufferedBytes(): number {
    return this.#received.length - this.#start;
  }

  /** Adds a chunk, borrowed until `next` said 'more' or `keep` was called. */
  push(chunk: Buffer): void {
    this.#received.append(chunk, this.#bulkLength < 0 ? Number.POSITIVE_INFINITY : this.#at + this.#bulkLength + 2);
  }

  /** The next whole request, if there is one: then `request` holds it. */
  next(): RequestStep {
    const received = this.#received;
    while (this.#at < received.length) {
      if (this.#missing === 0) this.#start = this.#at;
      const step = this.#missing > 0 || received.bytes[this.#at] === 0x2a ? this.#readMultibulk() : this.#readInline();
      if (step === 'more') break;
      if (step !== 'ignored') return step;
    }
    this.keep();
    return 'more';
  }

  /**
   * Drops what was taken and keeps the rest in a buffer of its own, so that the chunk may be re-used. Whoever stops
   * pulling before `next` says 'more' calls it when the chunk is given back.
   */
  keep(): void {
    if (this.#missing === 0) this.#start = this.#at;
    this.#received.retainFrom(this.#start);
    this.#at -= this.#start;
    this.#start = 0;
  }

  #readMultibulk(): RequestStep | 'ignored' {
    const request = this.request;
    if (this.#missing === 0) {
      const count = this.#received.readCount(this.#at);
      if (count < 0 || count > MAX_ARGC) return this.#oddCount(count);
      this.#at = this.#received.lineEnd;
      if (count === 0) return 'ignored';
      if (this.isRestricted && count > MAX_RESTRICTED_ARGC) return this.#fail(PROTOCOL.unauthenticatedMultibulk);
      this.#missing = count;
      request.clear();
    }
    while (this.#missing > 0) {
      const step = this.#readBulk();
      if (step !== 'request') return step;
    }
    request.bytes = this.#received.bytes;
    request.start = this.#start;
    request.end = this.#at;
    return 'request';
  }

  #oddCount(count: number): RequestStep | 'ignored' {
    if (count === MORE || count === INVALID || count > MAX_ARGC) {
      return this.#refuseLine(PROTOCOL.invalidMultibulkLength, PROTOCOL.tooBigMbulkCount);
    }
    this.#at = this.#received.lineEnd;
    return 'ignored';
  }

  /** One argument: 'request' means that it is whole. */
  #readBulk(): RequestStep {
    if (this.#bulkLength < 0) {
      const step = this.#readBulkHeader();
      if (step !== 'request') return step;
    }
    const { bytes, length } = this.#received;
    const end = this.#at + this.#bulkLength;
    if (end + 2 > length) return 'more';
    if (bytes[end] !== 0x0d || bytes[end + 1] !== 0x0a) return this.#fail(PROTOCOL.bulkNotTerminated);
    this.request.add(this.#at - this.#start, end - this.#start);
    this.#at = end + 2;
    this.#bulkLength = -1;
    this.#missing--;
    return 'request';
  }

  #readBulkHeader(): RequestStep {
    const received = this.#received;
    if (this.#at >= received.length) return 'more';
    const type = received.bytes[this.#at] as number;
    if (type !== 0x24) {
      return this.#refuseLine(PROTOCOL.expectedDollar(String.fromCharCode(type)), PROTOCOL.tooBigBulkCount);
    }
    const length = received.readCount(this.#at);
    const limit = this.#limits.maxRequestBytes;
    if (length < 0 || length > limit) {
      return this.#refuseLine(PROTOCOL.invalidBulkLength, PROTOCOL.tooBigBulkCount);
    }
    if (this.isRestricted && length > MAX_RESTRICTED_BULK_BYTES) return this.#fail(PROTOCOL.unauthenticatedBulk);
    if (received.lineEnd + length + 2 - this.#start > limit) return this.#fail(PROTOCOL.requestTooLarge(limit));
    this.#at = received.lineEnd;
    this.#bulkLength = length;
    return 'request';
  }

  /** A count line that is wrong, or not whole: like Redis we wait for its end and the byte behind it, up to 64 KB. */
  #refuseLine(wrong: string, tooBig: string): RequestStep {
    const { bytes, length } = this.#received;
    const end = bytes.subarray(0, length).indexOf(0x0d, this.#at);
    if (end < 0 || end - this.#at > MAX_LINE_BYTES) {
      return length - this.#at > MAX_LINE_BYTES ? this.#fail(tooBig) : 'more';
    }
    return end + 1 < length ? this.#fail(wrong) : 'more';
  }

  #readInline(): RequestStep | 'ignored' {
    const { bytes, length } = this.#received;
    if (bytes[this.#at] === TLS_HANDSHAKE) return this.#fail(PROTOCOL.tlsNotSpoken);
    const newline = bytes.subarray(0, length).indexOf(0x0a, this.#at);
    if (newline < 0 || newline - this.#at > MAX_LINE_BYTES) {
      return length - this.#at > MAX_LINE_BYTES ? this.#fail(PROTOCOL.tooBigInline) : 'more';
    }
    const end = newline > this.#at && bytes[newline - 1] === 0x0d ? newline - 1 : newline;
    const words = splitInline(bytes.subarray(this.#at, end));
    if (words === undefined) return this.#fail(PROTOCOL.unbalancedQuotes);
    this.#at = newline + 1;
    if (words.length === 0) return 'ignored';
    encodeInline(words, this.request);
    return 'request';
  }

  #fail(error: string): 'error' {
    this.error = error;
    return 'error';
  }
}
