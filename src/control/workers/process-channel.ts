/** The channel that Node.js gives a process that was forked, at either end. */
import type { SendHandle } from 'node:child_process';
import type { Channel, Message } from './peer.ts';

/** What both ends have of it: `process`, and the child process. */
export interface ProcessEnd {
  send?(
    message: Message,
    handle: SendHandle | undefined,
    options: undefined,
    done: (error: Error | null) => void,
  ): boolean;
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown;
}

export function processChannel(end: ProcessEnd): Channel {
  return {
    send: (message, onFailed, handle) => {
      if (end.send === undefined) return onFailed(new Error('this process was not forked'));
      end.send(message, handle as SendHandle | undefined, undefined, (error) => {
        if (error !== null) onFailed(error);
      });
    },
    onMessage: (listener) => {
      end.on('message', (message, handle) => listener(message as Message, handle));
    },
  };
}
