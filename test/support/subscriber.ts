/**
 * A subscriber for tests: commands as one line of text, frames as one line of text.
 */
import assert from 'node:assert/strict';
import type { LocalCluster } from '../../src/control/local-cluster.ts';
import { RawClient } from './client.ts';

export class Subscriber {
  readonly client: RawClient;

  private constructor(client: RawClient) {
    this.client = client;
  }

  static async connect(port: number): Promise<Subscriber> {
    return new Subscriber(await RawClient.connect(port));
  }

  /** Sends commands in one write, each a text with blanks between arguments; resolves to the next frames, one each unless told. */
  async ask(commands: readonly string[], frameCount = commands.length): Promise<string[]> {
    this.client.send(commands.map((command) => `${command}\r\n`).join(''));
    return await this.frames(frameCount);
  }

  /** The next frames as words: the values in them, without lengths; `[` `]` around arrays, `<` `>` around pushes. */
  async frames(count: number): Promise<string[]> {
    return (await this.client.replies(count)).map(wordsOf);
  }

  /** Frames up to the first that equals `last`, which is left out. */
  async until(last: string): Promise<string[]> {
    const frames: string[] = [];
    for (;;) {
      const [frame] = await this.frames(1);
      assert.ok(frame !== undefined);
      if (frame === last) return frames;
      frames.push(frame);
    }
  }

  close(): void {
    this.client.close();
  }
}

/** `*3 $7 message $1 a $2 hi` as `[message a hi]`. */
export function wordsOf(frame: Buffer): string {
  const text = frame.toString('latin1');
  const words = text
    .split('\r\n')
    .filter((line) => !/^[*>$]\d+$/.test(line) && line !== '')
    .join(' ');
  if (text.startsWith('*')) return `[${words}]`;
  return text.startsWith('>') ? `<${words}>` : words;
}

/** Connections in subscriber mode at all nodes that run. */
export async function subscriberCount(cluster: LocalCluster): Promise<number> {
  const nodes = cluster.nodes.filter((node) => node.isRunning);
  const lists = await Promise.all(nodes.map((node) => node.client().call('CLIENT', 'LIST', 'TYPE', 'pubsub')));
  return lists.reduce<number>((sum, list) => sum + String(list).split('\n').filter(Boolean).length, 0);
}
