/**
 * One request of a client: a multibulk frame as bytes, and where its arguments stand in them.
 *
 * The framer owns one `Request` and fills it anew for every frame, so a request is borrowed: it is valid until the
 * callback that received it returns. Nothing here makes a string or a view unless a caller asks for one.
 *
 *     *2\r\n$3\r\nGET\r\n$1\r\nk\r\n
 *     ▲start      ▲  ▲       ▲▲          ▲end
 *                 argStart(0)..argEnd(0)  argStart(1)..argEnd(1)
 */
import { type ByteArguments, isWordAt, parseIntegerAt } from './bytes.ts';

const KEEP_OFFSETS = 4096;

export class Request implements ByteArguments {
  /** The bytes that hold the frame, borrowed as the request is; more may stand before `start` and behind `end`. */
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  argc = 0;
  /** Two numbers an argument (start and end), relative to `start`. */
  #offsets = new Int32Array(64);

  /** Forgets all arguments; a huge offset table is given back. */
  clear(): void {
    this.argc = 0;
    if (this.#offsets.length > KEEP_OFFSETS) this.#offsets = new Int32Array(64);
  }

  /** Appends an argument; offsets are relative to the first byte of the frame. */
  add(start: number, end: number): void {
    const at = this.argc * 2;
    if (at === this.#offsets.length) {
      const grown = new Int32Array(at * 2);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    this.#offsets[at] = start;
    this.#offsets[at + 1] = end;
    this.argc++;
  }

  /** Index in `bytes` of the first byte of argument `index`. */
  argStart(index: number): number {
    return this.start + (this.#offsets[index * 2] as number);
  }

  /** Index in `bytes` behind the last byte of argument `index`. */
  argEnd(index: number): number {
    return this.start + (this.#offsets[index * 2 + 1] as number);
  }

  /** Index in `bytes` of the `$` that begins argument `index`, from 1 on; `end` for the one behind the last. */
  headerStart(index: number): number {
    return this.argEnd(index - 1) + 2;
  }

  argLength(index: number): number {
    return this.argEnd(index) - this.argStart(index);
  }

  /** Argument as text, one character a byte (latin1): for error texts and cold paths only. */
  argText(index: number): string {
    return this.bytes.toString('latin1', this.argStart(index), this.argEnd(index));
  }

  /** The argument's bytes where they are: borrowed as the request is. */
  argView(index: number): Buffer {
    return this.bytes.subarray(this.argStart(index), this.argEnd(index));
  }

  /** A copy of the argument's bytes that outlives the request. */
  argCopy(index: number): Buffer {
    return Buffer.from(this.bytes.subarray(this.argStart(index), this.argEnd(index)));
  }

  /** The same request on bytes of its own, which may be kept. */
  copy(): Request {
    const copy = new Request();
    copy.bytes = Buffer.from(this.bytes.subarray(this.start, this.end));
    copy.end = copy.bytes.length;
    for (let i = 0; i < this.argc; i++) copy.add(this.argStart(i) - this.start, this.argEnd(i) - this.start);
    return copy;
  }

  isWord(index: number, lowerCaseWord: string): boolean {
    return isWordAt(this.bytes, this.argStart(index), this.argEnd(index), lowerCaseWord);
  }

  integerAt(index: number): number {
    return parseIntegerAt(this.bytes, this.argStart(index), this.argEnd(index));
  }
}
