/**
 * Cuts the byte stream of a node into replies, RESP2 and RESP3, without decoding them. Called by the upstream
 * connection: `push` a chunk, then pull with `next`.
 *
 * Resumable at any byte; every byte is looked at once; what is no RESP ends the stream with an error, because after a
 * byte that was misread nothing can be trusted. Nesting costs a number per open aggregate on a stack of our own.
 *
 *     + - : _ # , (      a line
 *     $ ! =              a bulk: length, data, CRLF      ($? ;n … ;0 streamed)
 *     * ~ > % |          an aggregate of n (maps: 2n) elements   (*? … . streamed)
 *     |                  attributes: belong to the value behind them, which they do not replace
 *     >                  at top level a push: not a reply to anything
 */
import { INVALID, MORE, ReceiveBuffer } from './receive-buffer.ts';

export type ReplyStep = 'reply' | 'push' | 'more' | 'malformed' | 'too_large';

type ElementStep = 'done' | 'opened' | 'more' | 'malformed' | 'too_large';

const STREAMED = -1;
const NOT_READ = -1;
const LONG_LINE = 64;

export class ReplyFramer {
  /** The bytes that hold the frame that `next` found; valid until `next` or `push` is called again. */
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  readonly #maxReplyBytes: number;
  readonly #received = new ReceiveBuffer();
  #at = 0;
  /** How far the line that begins at `#at` was searched for its end. */
  #searched = 0;
  /** End of the bulk in progress, its CRLF included, while it is not whole; else NOT_READ. */
  #bulkEnd = NOT_READ;
  /** Inside a streamed bulk `$?`: only `;` chunks may follow. */
  #inStreamedBulk = false;
  /** Elements missing in each open aggregate, doubled, plus one for attributes; STREAMED until a `.`. */
  readonly #open: number[] = [];
  #isPush = false;

  constructor(maxReplyBytes: number) {
    this.#maxReplyBytes = maxReplyBytes;
  }

  /** Bytes held of replies that are not whole yet. */
  get bufferedBytes(): number {
    return this.#received.length;
  }

  push(chunk: Buffer): void {
    this.#received.append(chunk, this.#bulkEnd === NOT_READ ? Number.POSITIVE_INFINITY : this.#bulkEnd);
  }

  /** The next whole reply or push, if there is one: then `bytes`, `start` and `end` tell where it stands. */
  next(): ReplyStep {
    this.start = this.end;
    for (;;) {
      const step = this.#readElement();
      if (step === 'opened') continue;
      if (step !== 'done') return step === 'more' ? this.#wait() : step;
      if (this.#closesFrame()) return this.#frame();
    }
  }

  #frame(): ReplyStep {
    this.bytes = this.#received.bytes;
    this.end = this.#at;
    const isPush = this.#isPush;
    this.#isPush = false;
    return isPush ? 'push' : 'reply';
  }

  /** Keeps what is there of the frame in progress, in a buffer of our own. */
  #wait(): ReplyStep {
    const from = this.start;
    if (this.#received.length - from > this.#maxReplyBytes) return 'too_large';
    this.#received.retainFrom(from);
    this.#at -= from;
    this.#searched -= from;
    if (this.#bulkEnd !== NOT_READ) this.#bulkEnd -= from;
    this.start = 0;
    this.end = 0;
    return 'more';
  }

  /** Counts a finished element in the aggregates that hold it; true when the whole frame is there. */
  #closesFrame(): boolean {
    const open = this.#open;
    while (open.length > 0) {
      const last = open.length - 1;
      const missing = open[last] as number;
      if (missing === STREAMED) return false;
      if (missing > 3) {
        open[last] = missing - 2;
        return false;
      }
      open.pop();
      if (missing === 3) return false;
    }
    return true;
  }

  #readElement(): ElementStep {
    if (this.#bulkEnd !== NOT_READ) return this.#readBulkEnd();
    if (this.#at >= this.#received.length) return 'more';
    const type = this.#received.bytes[this.#at] as number;
    if (this.#inStreamedBulk) return type === 0x3b ? this.#readChunk() : 'malformed';
    switch (type) {
      case 0x2b: // +
      case 0x2d: // -
      case 0x3a: // :
      case 0x5f: // _
      case 0x23: // #
      case 0x2c: // ,
      case 0x28: // (
        return this.#readLine();
      case 0x24: // $
      case 0x21: // !
      case 0x3d: // =
        return this.#readBulk();
      case 0x2a: // *
      case 0x7e: // ~
      case 0x3e: // >
      case 0x25: // %
      case 0x7c: // |
        return this.#readAggregate(type);
      case 0x2e: // .
        return this.#readStreamEnd();
      default:
        return 'malformed';
    }
  }

  #readLine(): ElementStep {
    const { bytes, length } = this.#received;
    let at = Math.max(this.#at + 1, this.#searched);
    const nearEnd = Math.min(length, at + LONG_LINE);
    while (at < nearEnd && bytes[at] !== 0x0d) at++;
    if (at === nearEnd && at < length) {
      const found = bytes.indexOf(0x0d, at);
      at = found < 0 || found > length ? length : found;
    }
    this.#searched = at;
    if (at + 1 >= length) return 'more';
    if (bytes[at + 1] !== 0x0a) return 'malformed';
    this.#at = at + 2;
    return 'done';
  }

  #readBulk(): ElementStep {
    const count = this.#readCount();
    if (count >= 0) return this.#beginBulk(count);
    if (count === MORE) return this.#waitForCount();
    if (count === INVALID) {
      const step = this.#readStreamMark();
      this.#inStreamedBulk = step === 'opened';
      return step;
    }
    this.#at = this.#received.lineEnd;
    return 'done';
  }

  #beginBulk(length: number): ElementStep {
    const end = this.#received.lineEnd + length + 2;
    if (end - this.start > this.#maxReplyBytes) return 'too_large';
    this.#bulkEnd = end;
    return this.#readBulkEnd();
  }

  #readBulkEnd(): ElementStep {
    const { bytes, length } = this.#received;
    const end = this.#bulkEnd;
    if (end > length) return 'more';
    if (bytes[end - 2] !== 0x0d || bytes[end - 1] !== 0x0a) return 'malformed';
    this.#bulkEnd = NOT_READ;
    this.#at = end;
    return this.#inStreamedBulk ? 'opened' : 'done';
  }

  /** A chunk `;n` of a streamed bulk; `;0` ends it. */
  #readChunk(): ElementStep {
    const count = this.#readCount();
    if (count === MORE) return this.#waitForCount();
    if (count < 0) return 'malformed';
    if (count > 0) return this.#beginBulk(count);
    this.#at = this.#received.lineEnd;
    this.#inStreamedBulk = false;
    return 'done';
  }

  #readAggregate(type: number): ElementStep {
    const count = this.#readCount();
    if (count === MORE) return this.#waitForCount();
    if (count === INVALID) return this.#openStreamedAggregate(type);
    this.#at = this.#received.lineEnd;
    const isAttribute = type === 0x7c;
    this.#notePush(type);
    if (count <= 0) return isAttribute ? 'opened' : 'done';
    const elements = type === 0x25 || isAttribute ? count * 2 : count;
    this.#open.push(elements * 2 + (isAttribute ? 1 : 0));
    return 'opened';
  }

  #openStreamedAggregate(type: number): ElementStep {
    if (type === 0x3e || type === 0x7c) return 'malformed';
    const step = this.#readStreamMark();
    if (step === 'opened') this.#open.push(STREAMED);
    return step;
  }

  #notePush(type: number): void {
    if (this.#open.length === 0) this.#isPush = type === 0x3e;
  }

  /** The `?` of a streamed form in place of a count. */
  #readStreamMark(): ElementStep {
    const { bytes, length } = this.#received;
    if (bytes[this.#at + 1] !== 0x3f) return 'malformed';
    if (this.#at + 4 > length) return 'more';
    if (bytes[this.#at + 2] !== 0x0d || bytes[this.#at + 3] !== 0x0a) return 'malformed';
    this.#at += 4;
    return 'opened';
  }

  /** The count of the line at `#at`. Other than in a request, what stands behind its `\r` must be `\n`. */
  #readCount(): number {
    const received = this.#received;
    const count = received.readCount(this.#at);
    if (count === MORE || count === INVALID) return count;
    return received.bytes[received.lineEnd - 1] === 0x0a ? count : INVALID;
  }

  /** A count line whose end has not come; no count is so long. */
  #waitForCount(): ElementStep {
    return this.#received.length - this.#at > LONG_LINE ? 'malformed' : 'more';
  }

  #readStreamEnd(): ElementStep {
    const { bytes, length } = this.#received;
    if (this.#open.at(-1) !== STREAMED) return 'malformed';
    if (this.#at + 3 > length) return 'more';
    if (bytes[this.#at + 1] !== 0x0d || bytes[this.#at + 2] !== 0x0a) return 'malformed';
    this.#at += 3;
    this.#open.pop();
    return 'done';
  }
}
