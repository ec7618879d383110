/**
 * The frames of pub/sub, which look the same in RESP2 and RESP3 but for their first byte: `*` there, `>` here.
 *
 *     *3 message  channel payload       *3 subscribe  channel count       (psubscribe, ssubscribe,
 *     *4 pmessage pattern channel payload                                  unsubscribe … likewise)
 *     *3 smessage channel payload
 *
 * So a message that came in one protocol goes out in the other with one byte changed.
 */
import { isWordAt } from './bytes.ts';
import { encodeBulk, type Protocol } from './encode.ts';

/** What is subscribed to; each has its own set, and its own words on the wire. */
export type SubscriptionKind = 'channel' | 'pattern' | 'shard';

export type SubscriptionVerb =
  | 'subscribe'
  | 'unsubscribe'
  | 'psubscribe'
  | 'punsubscribe'
  | 'ssubscribe'
  | 'sunsubscribe';

export type PubSubWord = SubscriptionVerb | 'message' | 'pmessage' | 'smessage';

/** What each word is about; the most frequent first. */
export const KIND_OF: Readonly<Record<PubSubWord, SubscriptionKind>> = {
  message: 'channel',
  pmessage: 'pattern',
  smessage: 'shard',
  subscribe: 'channel',
  unsubscribe: 'channel',
  psubscribe: 'pattern',
  punsubscribe: 'pattern',
  ssubscribe: 'shard',
  sunsubscribe: 'shard',
};

const WORDS = Object.keys(KIND_OF) as PubSubWord[];

const STAR = 0x2a;
const GREATER = 0x3e;
const DOLLAR = 0x24;
const CR = 0x0d;

/** A pub/sub frame that was read; offsets into the bytes it was read from. */
export class PubSubFrame {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  word: PubSubWord = 'message';
  /** The first argument: the channel, or for a pmessage the pattern. */
  nameStart = 0;
  nameEnd = 0;
  /** The channel, also of a pmessage. */
  channelStart = 0;
  channelEnd = 0;
  #at = 0;
  #bulkStart = 0;

  /** Reads the frame in bytes [start, end); false when it is none of pub/sub, or names no channel. */
  read(bytes: Buffer, start: number, end: number): boolean {
    if (bytes[start] !== STAR && bytes[start] !== GREATER) return false;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.#at = start + 4;
    const count = (bytes[start + 1] as number) - 0x30;
    if ((count !== 3 && count !== 4) || bytes[start + 2] !== CR || !this.#readBulk()) return false;
    const word = wordAt(bytes, this.#bulkStart, this.#at - 2);
    if (word === undefined || !this.#readBulk()) return false;
    this.word = word;
    this.nameStart = this.#bulkStart;
    this.nameEnd = this.#at - 2;
    if (word === 'pmessage' && !this.#readBulk()) return false;
    this.channelStart = this.#bulkStart;
    this.channelEnd = this.#at - 2;
    return true;
  }

  get kind(): SubscriptionKind {
    return KIND_OF[this.word];
  }

  /** The name as text, one character a byte. */
  get name(): string {
    return this.bytes.toString('latin1', this.nameStart, this.nameEnd);
  }

  /** Steps over a bulk string, whose data then begins at `#bulkStart` and ends 2 before `#at`. */
  #readBulk(): boolean {
    const { bytes } = this;
    let at = this.#at;
    if (bytes[at] !== DOLLAR) return false;
    let length = 0;
    for (at++; at < this.end && bytes[at] !== CR; at++) length = length * 10 + (bytes[at] as number) - 0x30;
    this.#bulkStart = at + 2;
    this.#at = this.#bulkStart + length + 2;
    return length >= 0 && this.#at <= this.end;
  }
}

function wordAt(bytes: Buffer, start: number, end: number): PubSubWord | undefined {
  for (const word of WORDS) if (isWordAt(bytes, start, end, word)) return word;
  return undefined;
}

/** Rewrites the first byte of a message for the protocol of its reader, in place. */
export function markProtocol(bytes: Buffer, start: number, protocol: Protocol): void {
  bytes[start] = protocol === 3 ? GREATER : STAR;
}

/** The confirmation of one subscription or its end; `name` (one character a byte) is undefined when there was none to end. */
export function encodeConfirmation(
  verb: SubscriptionVerb,
  name: string | undefined,
  { count, protocol }: { readonly count: number; readonly protocol: Protocol },
): Buffer {
  const nothing = protocol === 3 ? '_\r\n' : '$-1\r\n';
  const shown = name === undefined ? nothing : `$${name.length}\r\n${name}\r\n`;
  return Buffer.from(`${protocol === 3 ? '>' : '*'}3\r\n$${verb.length}\r\n${verb}\r\n${shown}:${count}\r\n`, 'latin1');
}

/** What a RESP2 client in subscriber mode gets for PING. */
export function encodeSubscriberPong(argument: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('*2\r\n$4\r\npong\r\n'), encodeBulk(argument)]);
}
