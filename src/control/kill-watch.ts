/**
 * Finds out which of several calls was killed: the one whose reply is the server's error for that. Stands between a
 * connection and those who wait for the calls, and is gone when the name is known or nobody needs it any more.
 */
import { shaOf } from '../script/sha.ts';
import type { Exchange, Failure, Sink } from '../upstream/exchange.ts';

const KILLED = /^-.*Script killed by user/;
const PATIENCE_MS = 1000;
const LOOKED_AT_BYTES = 512;

/** What the log calls a call; arguments are nobody's business. */
export type CallName =
  | { readonly sha: string; readonly keys: number }
  | { readonly function: string; readonly keys: number };

export class KillWatch implements Sink {
  readonly #sinks = new Map<Exchange, Sink>();
  #name: CallName | undefined;
  #onDone: () => void = () => {};

  constructor(calls: readonly Exchange[]) {
    for (const exchange of calls) {
      this.#sinks.set(exchange, exchange.sink);
      exchange.sink = this;
    }
  }

  /** Settles when the killed call got its reply, or soon; empty when none did. Ends the watch. */
  async name(): Promise<CallName | Record<string, never>> {
    if (this.#name === undefined && this.#sinks.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE_MS);
        this.#onDone = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.end();
    return this.#name ?? {};
  }

  end(): void {
    for (const [exchange, sink] of this.#sinks) exchange.sink = sink;
    this.#sinks.clear();
    this.#onDone();
  }

  onReply(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    const sink = this.#giveBack(exchange);
    const text = bytes[start] === 0x2d ? bytes.toString('latin1', start, Math.min(end, start + LOOKED_AT_BYTES)) : '';
    if (KILLED.test(text)) this.#name = nameOf(exchange);
    if (this.#name !== undefined || this.#sinks.size === 0) this.end();
    sink?.onReply(exchange, bytes, start, end);
  }

  onFailure(exchange: Exchange, failure: Failure): void {
    const sink = this.#giveBack(exchange);
    if (this.#sinks.size === 0) this.end();
    sink?.onFailure(exchange, failure);
  }

  #giveBack(exchange: Exchange): Sink | undefined {
    const sink = this.#sinks.get(exchange);
    this.#sinks.delete(exchange);
    if (sink !== undefined) exchange.sink = sink;
    return sink;
  }
}

export function nameOf(exchange: Exchange): CallName {
  const { call } = exchange;
  const keys = call?.keyCount ?? 0;
  const word = argumentsOf(exchange)[1] ?? Buffer.alloc(0);
  if (call?.form === 'function') return { function: word.toString('latin1'), keys };
  return { sha: call?.bytesForm === 'eval' ? shaOf(word) : word.toString('latin1').toLowerCase(), keys };
}

/** The words of a request as it went up; none when its bytes are not held any more. */
export function argumentsOf({ batch, start, end }: Exchange): Buffer[] {
  const words: Buffer[] = [];
  if (batch === undefined) return words;
  const { buffer } = batch;
  for (let at = buffer.indexOf('\r\n', start) + 2; at < end; ) {
    const from = buffer.indexOf('\r\n', at) + 2;
    const to = from + Number(buffer.toString('latin1', at + 1, from - 2));
    words.push(buffer.subarray(from, to));
    at = to + 2;
  }
  return words;
}
