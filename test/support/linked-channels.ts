/** Two ends of a channel in one process; messages are cloned, as between processes, and come a turn later. */
import { deserialize, serialize } from 'node:v8';
import type { Channel, Message } from '../../src/control/workers/peer.ts';

export class ChannelEnd implements Channel {
  other: ChannelEnd | undefined;
  /** What is sent here is not handed over. */
  isCut = false;
  #listener: (message: Message, handle?: unknown) => void = () => {};

  send(message: Message, onFailed: (error: Error) => void, handle?: unknown): void {
    const copy = deserialize(serialize(message)) as Message;
    setImmediate(() => {
      if (this.isCut) onFailed(new Error('the channel is cut'));
      else this.other?.take(copy, handle);
    });
  }

  take(message: Message, handle: unknown): void {
    this.#listener(message, handle);
  }

  onMessage(listener: (message: Message, handle?: unknown) => void): void {
    this.#listener = listener;
  }
}

export function linkedChannels(): [ChannelEnd, ChannelEnd] {
  const [a, b] = [new ChannelEnd(), new ChannelEnd()];
  a.other = b;
  b.other = a;
  return [a, b];
}
